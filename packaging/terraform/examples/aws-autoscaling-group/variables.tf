variable "name" {
  description = "Name of the group, and what other names begin with. Its machines know the group by it."
  type        = string
  default     = "actions-runner"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+$", var.name))
    error_message = "The name must be made of letters, digits, dots, hyphens and underscores: it stands in a shell command."
  }
}

variable "url" {
  description = "What the runners belong to."
  type        = string
}

variable "labels" {
  type    = list(string)
  default = []
}

variable "image_id" {
  description = "AMI with the program, the runner and the AWS CLI; see packaging/packer."
  type        = string
}

variable "root_device" {
  description = "Name of the image's root device. With another one a second disk is made, and the root disk is as the image has it."
  type        = string
  default     = "/dev/xvda"
}

variable "root_gigabytes" {
  description = "Size of the root disk, no less than the image's."
  type        = number
  default     = 30
}

variable "instance_types" {
  description = "Types that are alike for a job; the group takes whichever spot capacity there is."
  type        = list(string)
  default     = ["m7i.large", "m6i.large", "m5.large"]
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "secret_arn" {
  description = "Secret of Secrets Manager whose text is the access token. Terraform knows where it is, and never reads it."
  type        = string
}

variable "machines" {
  description = "How many machines wait for jobs."
  type        = number
  default     = 2
}

variable "drain_minutes" {
  description = "How long a running job may go on when its machine shall go; at most 1440."
  type        = number
  default     = 360

  validation {
    condition     = var.drain_minutes >= 1 && var.drain_minutes <= 1440 && floor(var.drain_minutes) == var.drain_minutes
    error_message = "The drain_minutes must be 1 to 1440: a group waits for a machine 100 times as long as for its heartbeat at most, which is 25 hours here."
  }
}
