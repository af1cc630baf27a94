variable "name" {
  type    = string
  default = "actions-runner"
}

variable "project" {
  type = string
}

variable "region" {
  type = string
}

variable "url" {
  description = "What the runners belong to."
  type        = string
}

variable "labels" {
  type    = list(string)
  default = []
}

variable "image" {
  description = "Image with the program, the runner, cloud-init and the gcloud command; see packaging/packer."
  type        = string
}

variable "machine_type" {
  type    = string
  default = "e2-standard-2"
}

variable "subnetwork" {
  type = string
}

variable "secret" {
  description = "Name of the secret of Secret Manager whose text is the access token. Terraform knows where it is, and never reads it."
  type        = string
}

variable "machines" {
  description = "How many machines wait for jobs."
  type        = number
  default     = 2
}
