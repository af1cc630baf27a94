variable "name" {
  type    = string
  default = "actions-runner"
}

variable "resource_group" {
  type = string
}

variable "location" {
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

variable "image_id" {
  description = "Image with the program, the runner and the Azure CLI; see packaging/packer."
  type        = string
}

variable "trusted_launch" {
  description = "Secure boot and a virtual TPM. A managed image, as packaging/packer makes, cannot have them: they need a version of a gallery's image whose definition is for a trusted launch."
  type        = bool
  default     = true
}

variable "size" {
  type    = string
  default = "Standard_D2s_v5"
}

variable "subnet_id" {
  type = string
}

variable "public_key" {
  description = "Key of SSH that Azure asks for. Nothing needs to reach the machines by it."
  type        = string
}

variable "vault_name" {
  type = string
}

variable "vault_id" {
  type = string
}

variable "secret" {
  description = "Secret of the vault whose text is the access token. Terraform knows where it is, and never reads it."
  type        = string
}

variable "machines" {
  description = "How many machines wait for jobs."
  type        = number
  default     = 2
}
