terraform {
  # Validations that look at other variables are there since 1.9. No provider is needed.
  required_version = ">= 1.9.0"
}
