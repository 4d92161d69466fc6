import hashlib
import os
import signal
import tempfile
import unittest
from unittest import mock

from bucket.bucket import Bucket, BucketError, MissingKeys, reason_in, settings
from results.at_home import named_below
from results.in_bucket import entries_of, keep_or_trust

KEYS = {"AWS_ACCESS_KEY_ID": "id-of-a-key", "AWS_SECRET_ACCESS_KEY": "its-secret"}


class Settings(unittest.TestCase):
    def of(self, scheme, told, known):
        with mock.patch("bucket.bucket.values", return_value=known):
            return settings(scheme, {"url": f"{scheme}://b", **told})

    def test_keys_come_from_secrets_alone(self):
        with self.assertRaisesRegex(BucketError, "AWS_SECRET_ACCESS_KEY is not on the instance"):
            self.of("s3", {}, {"AWS_ACCESS_KEY_ID": "id-of-a-key"})
        found = self.of("s3", {"endpoint": "https://s3.example.com"}, KEYS)
        self.assertEqual(found["RCLONE_CONFIG_BUCKET_PROVIDER"], "Other")
        self.assertEqual(found["RCLONE_CONFIG_BUCKET_SECRET_ACCESS_KEY"], "its-secret")
        self.assertNotIn("RCLONE_CONFIG_BUCKET_SESSION_TOKEN", found)

    def test_each_provider_has_its_own(self):
        self.assertEqual(self.of("s3", {}, KEYS)["RCLONE_CONFIG_BUCKET_PROVIDER"], "AWS")
        self.assertEqual(self.of("r2", {}, KEYS)["RCLONE_CONFIG_BUCKET_REGION"], "auto")
        known = {"GOOGLE_CREDENTIALS": '{\n"type": "service_account"}'}
        found = self.of("gs", {}, known)
        self.assertEqual(found["RCLONE_CONFIG_BUCKET_SERVICE_ACCOUNT_CREDENTIALS"], '{ "type": "service_account"}')

    def test_a_reason_is_without_the_numbers_of_a_request(self):
        said = b"2026/11/30 02:38:02 NOTICE: Failed to copy: RequestID: 3M3, HostID: ecb+, api error NoSuchBucket: none.\n"
        self.assertEqual(reason_in(said, 1), "Failed to copy: api error NoSuchBucket: none.")
        self.assertEqual(reason_in(b"", 7), "rclone ended with status 7")


class Same(unittest.TestCase):
    def bucket(self, listing, content=b""):
        bucket = Bucket.__new__(Bucket)
        bucket.url = "s3://b"
        bucket.listing = lambda *_: listing
        bucket.sha256 = lambda *_: hashlib.sha256(content).hexdigest()
        return bucket

    def test_what_is_missing_or_other_there_is_named(self):
        files = {"a.pt": (3, "m", hashlib.sha256(b"abc").hexdigest())}
        self.bucket({"a.pt": (3, "m")}).require_same(files)
        for listing in ({}, {"a.pt": (4, "m")}, {"a.pt": (3, "n")}):
            with self.assertRaisesRegex(BucketError, "s3://b/a.pt is"):
                self.bucket(listing).require_same(files)

    def test_an_object_without_md5_is_read(self):
        files = {"a.pt": (3, "m", hashlib.sha256(b"abc").hexdigest())}
        self.bucket({"a.pt": (3, None)}, b"abc").require_same(files)
        with self.assertRaisesRegex(BucketError, "SHA-256"):
            self.bucket({"a.pt": (3, None)}, b"abd").require_same(files)


class Reading(unittest.TestCase):
    def test_many_complaints_keep_no_file_from_being_read(self):
        with tempfile.TemporaryDirectory() as folder:
            bucket = Bucket.__new__(Bucket)
            bucket.url, bucket.path, bucket.environment = "s3://b", "b", dict(os.environ)
            bucket.program = os.path.join(folder, "rclone")
            with open(bucket.program, "w") as file:
                # More than the pipe of nobody who reads holds, before the content comes.
                file.write("#!/bin/sh\nyes 'a complaint of rclone' | head -c 300000 >&2\nprintf abc\nexit ${FAILS:-0}\n")
            os.chmod(bucket.program, 0o755)
            # It would wait for ever.
            signal.alarm(20)
            self.addCleanup(signal.alarm, 0)
            self.assertEqual(bucket.sha256("f"), hashlib.sha256(b"abc").hexdigest())
            bucket.environment["FAILS"] = "7"
            with self.assertRaisesRegex(BucketError, "s3://b/f: a compla"):
                bucket.sha256("f")


class Trust(unittest.TestCase):
    def of(self, url, is_kept):
        attempt = mock.Mock()
        attempt.get.return_value = {"at": 1, "url": url, "files": 2}
        missing = mock.patch("results.in_bucket.keep", side_effect=MissingKeys("no keys"))
        with missing, mock.patch("results.in_bucket.is_kept", return_value=is_kept), mock.patch(
            "results.in_bucket.Look"
        ), mock.patch("results.in_bucket.written.note", return_value={}):
            return keep_or_trust(attempt, {"url": "s3://b/e"}, "i")

    def test_without_keys_only_what_was_compared_in_that_bucket_and_is_unchanged_counts(self):
        self.assertEqual(self.of("s3://b/e/1", True)["compared"], False)
        for url, is_kept in (("s3://b/e/1", False), ("s3://b/e2/1", True)):
            with self.assertRaises(MissingKeys):
                self.of(url, is_kept)


class Entries(unittest.TestCase):
    def test_are_in_the_order_of_a_manifest_with_checksums_and_without_links_that_lead_nowhere(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "f")
            with open(path, "w") as file:
                file.write("abc")
            os.symlink("none", os.path.join(folder, "l"))
            paths = {"\U0001f600": path, "\uff5e": path, "empty": folder, "l": os.path.join(folder, "l")}
            lines, files = entries_of(paths)
        # By code unit of UTF-16, as JavaScript compares.
        self.assertEqual([line["path"] for line in lines], ["empty", "\U0001f600", "\uff5e"])
        self.assertEqual(lines[0]["folder"], True)
        self.assertEqual(files["\uff5e"][1:], (hashlib.md5(b"abc").hexdigest(), lines[2]["sha256"]))

    def test_folders_of_one_name_get_numbers(self):
        named = named_below("beside", ["/w/a/x", "/w/b/x"])
        self.assertEqual(named, {"beside/x": "/w/a/x", "beside/x-2": "/w/b/x"})


if __name__ == "__main__":
    unittest.main()
