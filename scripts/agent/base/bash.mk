# Read before a workload's Makefile, which may set another shell: recipes run in bash, as every command does.
SHELL := /bin/bash
# The first name in this list is the workload's own Makefile, as if this one had not been read.
MAKEFILE_LIST :=
