variable "name" {
  type    = string
  default = "actions-runner"
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
  description = "Secret of Secrets Manager whose text is the access token."
  type        = string
}

variable "machines" {
  description = "How many machines wait for jobs."
  type        = number
  default     = 2
}

variable "drain_minutes" {
  description = "How long a running job may go on when its machine shall go; at most 115."
  type        = number
  default     = 60

  validation {
    condition     = var.drain_minutes >= 1 && var.drain_minutes <= 115
    error_message = "The drain_minutes must be 1 to 115: a lifecycle hook waits two hours at most without a heartbeat."
  }
}
