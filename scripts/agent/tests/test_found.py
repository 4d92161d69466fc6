import os
import tempfile
import unittest

from steps.found import makes_environment, recipe_of


class FoundTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)

    def write(self, name, text):
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)

    def test_a_setup_that_makes_an_environment_is_seen_through_make_and_scripts(self):
        self.write("Makefile", ".PHONY: install\n\ninstall:\n\tbash install.sh\n")
        self.write("install.sh", "#!/bin/bash\npoetry install --no-interaction\n")
        self.assertTrue(makes_environment("make install"))
        self.write("install.sh", "#!/bin/bash\n# no poetry install here\npip install -r requirements.txt\n")
        self.assertFalse(makes_environment("make install"))

    def test_the_recipe_of_a_target(self):
        rules = "all install: deps\n\tone\n\ttwo\nclean:: ; x\nname := install\ninstalled:\n\tthree\n"
        self.write("Makefile", rules)
        self.assertEqual(recipe_of("install"), "\tone\n\ttwo\n")
        self.assertEqual(recipe_of("installed"), "\tthree\n")
        self.assertEqual(recipe_of("name"), "")


if __name__ == "__main__":
    unittest.main()
