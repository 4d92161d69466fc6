/** Names of files that are archives, as ARCHIVE in scripts/agent/bucket/dataset.py has them. */
export const archiveName = /\.(tar|tar\.gz|tgz|tar\.zst|tar\.xz|tar\.bz2|zip)$/;
