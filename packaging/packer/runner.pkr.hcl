# An image that has the program and the runner, and neither a secret nor a registration.
# One source is built at a time: packer build -only=amazon-ebs.runner ...

variable "name" {
  description = "What the name of the image begins with."
  type        = string
  default     = "actions-runner"
}

variable "package" {
  description = "Package of the program on this host, .deb or .rpm. Without it the machine fetches the release program_version by its script."
  type        = string
  default     = ""
}

variable "program_version" {
  description = "Release of the program to fetch, such as 1.2.3; needed where there is no package."
  type        = string
  default     = ""
}

variable "checksums_sha256" {
  description = "SHA-256 of the checksums.txt of that release; needed with program_version."
  type        = string
  default     = ""
}

variable "runner_version" {
  description = "Version of the runner to bake; the latest public release if it is empty."
  type        = string
  default     = ""
}

variable "runner_sha256" {
  description = "Digest that the runner's archive must have, beside the one that GitHub gives."
  type        = string
  default     = ""
}

variable "mirror" {
  description = "Directory with the runner's archives under GitHub's names, instead of GitHub."
  type        = string
  default     = ""
}

variable "packages" {
  description = "Packages of the distribution that jobs, or the command that fetches the token, need."
  type        = list(string)
  default     = []
}

variable "fix" {
  description = "Whether doctor --fix installs the libraries that the runner needs."
  type        = bool
  default     = true
}

variable "firstboot" {
  description = "Whether each machine runs install at its first boot by what stands in its configuration file, without a command in user data. It needs a package, which brings the service."
  type        = bool
  default     = false
}

variable "aws_region" {
  type    = string
  default = "eu-central-1"
}

variable "aws_instance_type" {
  type    = string
  default = "t3.medium"
}

variable "google_project" {
  type    = string
  default = "example"
}

variable "google_zone" {
  type    = string
  default = "europe-west3-a"
}

variable "azure_subscription" {
  type    = string
  default = "00000000-0000-0000-0000-000000000000"
}

variable "azure_resource_group" {
  type    = string
  default = "runners"
}

variable "azure_location" {
  type    = string
  default = "westeurope"
}

variable "qemu_image" {
  description = "Cloud image of Debian or Ubuntu to begin with, as a URL or a file."
  type        = string
  default     = ""
}

variable "qemu_checksum" {
  description = "Digest of that image, such as sha256:HEX."
  type        = string
  default     = ""
}

variable "qemu_seed" {
  description = "The files user-data and meta-data, by which cloud-init lets Packer in."
  type        = list(string)
  default     = []
}

variable "qemu_key" {
  description = "Private key that the user data lets in."
  type        = string
  default     = ""
}

variable "qemu_user" {
  type    = string
  default = "debian"
}

variable "qemu_accelerator" {
  type    = string
  default = "kvm"
}

locals {
  stamp = formatdate("YYYYMMDDhhmmss", timestamp())
  image = "${var.name}-${local.stamp}"

  # The program takes its options from variables too; an empty one counts as absent.
  environment = [
    "RUNNER_BOOTSTRAP_RUNNER_VERSION=${var.runner_version}",
    "RUNNER_BOOTSTRAP_SHA256=${var.runner_sha256}",
    "RUNNER_BOOTSTRAP_MIRROR=${var.mirror}",
  ]
  # As root, who may be logged in already: not every image has sudo then.
  execute = "chmod +x '{{ .Path }}'; if [ \"$(id -u)\" -eq 0 ]; then env {{ .Vars }} '{{ .Path }}'; else sudo -n env {{ .Vars }} '{{ .Path }}'; fi"
}

source "amazon-ebs" "runner" {
  ami_name      = local.image
  region        = var.aws_region
  instance_type = var.aws_instance_type
  ssh_username  = "admin"

  source_ami_filter {
    filters = {
      name                = "debian-12-amd64-*"
      virtualization-type = "hvm"
      root-device-type    = "ebs"
    }
    # The most recent one of that name, and of Debian's own.
    owners      = ["136693071363"]
    most_recent = true
  }

  # Packer's own key would open every machine of this image.
  ssh_clear_authorized_keys = true

  # No disk without encryption, of this machine or of those that start from the image.
  encrypt_boot = true

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 30
    volume_type           = "gp3"
    iops                  = 3000
    throughput            = 125
    delete_on_termination = true
  }
}

source "googlecompute" "runner" {
  project_id          = var.google_project
  zone                = var.google_zone
  source_image_family = "debian-12"
  image_name          = local.image
  image_family        = var.name

  # Nobody else's family of that name.
  source_image_project_id = ["debian-cloud"]

  machine_type = "e2-medium"
  disk_size    = 30
  ssh_username = "packer"
}

source "azure-arm" "runner" {
  use_azure_cli_auth                = true
  subscription_id                   = var.azure_subscription
  managed_image_resource_group_name = var.azure_resource_group
  managed_image_name                = local.image
  location                          = var.azure_location
  vm_size                           = "Standard_B2s"
  os_type                           = "Linux"
  image_publisher                   = "Debian"
  image_offer                       = "debian-12"
  image_sku                         = "12-gen2"
}

source "qemu" "runner" {
  iso_url          = var.qemu_image
  iso_checksum     = var.qemu_checksum
  disk_image       = true
  disk_size        = "30G"
  format           = "qcow2"
  accelerator      = var.qemu_accelerator
  headless         = true
  memory           = 2048
  vm_name          = "${local.image}.qcow2"
  output_directory = "images"
  shutdown_command = "sudo -n systemctl poweroff"

  ssh_username         = var.qemu_user
  ssh_private_key_file = var.qemu_key
  cd_label             = "cidata"
  cd_files             = var.qemu_seed
}

build {
  sources = [
    "source.amazon-ebs.runner",
    "source.googlecompute.runner",
    "source.azure-arm.runner",
    "source.qemu.runner",
  ]

  provisioner "shell" {
    inline = ["mkdir -m 700 /tmp/runner-bootstrap"]
  }

  provisioner "file" {
    sources     = concat(["${path.root}/../../scripts/install.sh"], var.package == "" ? [] : [var.package])
    destination = "/tmp/runner-bootstrap/"
  }

  provisioner "shell" {
    script          = "${path.root}/bake.sh"
    execute_command = local.execute
    environment_vars = concat(local.environment, [
      "PROGRAM_VERSION=${var.program_version}",
      "CHECKSUMS_SHA256=${var.checksums_sha256}",
      "PACKAGES=${join(" ", var.packages)}",
      "FIX=${var.fix ? "yes" : ""}",
      "FIRSTBOOT=${var.firstboot ? "yes" : ""}",
    ])
  }

  # The last of our steps: what came after it would not be seen by it.
  provisioner "shell" {
    script           = "${path.root}/seal.sh"
    execute_command  = local.execute
    environment_vars = local.environment
    # The script is gone, and so may be the way in.
    skip_clean = true
  }

  # Azure wants this at the very end. It only takes away: the account that Packer had.
  provisioner "shell" {
    only            = ["azure-arm.runner"]
    execute_command = "sudo -n sh '{{ .Path }}'"
    inline          = ["/usr/sbin/waagent -force -deprovision+user && sync"]
    skip_clean      = true
  }
}
