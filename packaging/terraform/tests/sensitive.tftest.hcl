# A plan hides user data only where there is a secret in it.

run "nothing_secret" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "vault read token"
  }
  assert {
    condition     = output.readable
    error_message = "The outputs are hidden, although nothing secret is in them."
  }
  assert {
    condition     = output.decoded == output.user_data
    error_message = "user_data_base64 is not user_data in base64: ${output.decoded}"
  }
}

run "jitconfig" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    for_one_machine  = true
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    jitconfig        = file("../cloud-init/jitconfig.example")
  }
  assert {
    condition     = output.sensitive
    error_message = "An output shows the just-in-time configuration."
  }
}

run "registration_token" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    for_one_machine    = true
    program_version    = "1.2.3"
    checksums_sha256   = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                = "https://github.com/octo-org"
    registration_token = "EXAMPLE"
  }
  assert {
    condition     = output.sensitive
    error_message = "An output shows the registration token."
  }
}

run "token" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    program_version            = "1.2.3"
    checksums_sha256           = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                        = "https://github.com/octo-org"
    token                      = "example"
    allow_secrets_in_user_data = true
  }
  assert {
    condition     = output.sensitive
    error_message = "An output shows the token."
  }
}

run "app_key" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    program_version            = "1.2.3"
    checksums_sha256           = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                        = "https://github.com/octo-org"
    app                        = { id = "1" }
    app_key                    = "example"
    allow_secrets_in_user_data = true
  }
  assert {
    condition     = output.sensitive
    error_message = "An output shows the key of the app."
  }
}

run "value_of_an_option" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "vault read token"
    secret_env       = "PASSWORD=example"
  }
  assert {
    condition     = output.sensitive
    error_message = "An output shows a variable of jobs that its caller calls sensitive."
  }
}
