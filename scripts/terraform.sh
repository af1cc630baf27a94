#!/usr/bin/env bash
# Checks the Terraform module: format, validity, and its tests, for which no provider is
# needed. The examples need some, so only their format is checked, and with it their syntax.
#
#   scripts/terraform.sh
#
# TERRAFORM_REQUIRED   if it is set, a host without Terraform fails; otherwise that is said
#                      and is no failure
set -euo pipefail

if ! command -v terraform >/dev/null; then
	echo 'not checked: terraform is not installed'
	[[ -z ${TERRAFORM_REQUIRED:-} ]] || exit 1
	exit 0
fi
cd "$(dirname "${BASH_SOURCE[0]}")/../packaging/terraform"

# What the caller has set for work of his own must not change what is found here.
for name in $(compgen -e TF_); do unset "$name"; done
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
export TF_DATA_DIR=$data TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1
# A configuration of that name in a home would be read otherwise.
export TF_CLI_CONFIG_FILE=/dev/null

terraform fmt -check -diff -recursive
terraform init -backend=false -input=false -no-color >/dev/null
terraform validate -no-color
terraform test -no-color
