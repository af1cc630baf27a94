# What would fail on the machine fails in the plan. Each of these is wrong in one way only,
# so that the one check that holds it is missed if it is gone.

run "no_url" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    token_command    = "t"
  }
  expect_failures = [var.url]
}

run "url_of_a_host" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com"
    token_command    = "t"
  }
  expect_failures = [var.url]
}

run "url_with_a_password" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://me:secret@github.com/octo-org"
    token_command    = "t"
  }
  expect_failures = [var.url]
}

run "url_with_a_query" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org?a=b"
    token_command    = "t"
  }
  expect_failures = [var.url]
}

run "url_with_another_line" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org\nruncmd: [evil]"
    token_command    = "t"
  }
  expect_failures = [var.url]
}

run "url_in_the_clear" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "http://github.com/octo-org"
    token_command    = "t"
  }
  expect_failures = [var.url]
}

run "options_that_are_no_map" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = "ephemeral"
  }
  expect_failures = [var.options]
}

run "token_among_the_options" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { token = "example" }
  }
  expect_failures = [var.options]
}

run "option_with_a_variable_of_its_own" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { app-id = "1" }
  }
  expect_failures = [var.options]
}

run "unknown_option" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { maxjobs = 1 }
  }
  expect_failures = [var.options]
}

run "option_of_this_call_only" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { dry-run = true }
  }
  expect_failures = [var.options]
}

run "map_that_is_not_env" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { labels = { a = "b" } }
  }
  expect_failures = [var.options]
}

run "list_of_lists" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { labels = [["a"]] }
  }
  expect_failures = [var.options]
}

run "unknown_preemption" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { preemption = "moon" }
  }
  expect_failures = [var.options]
}

run "unknown_metadata" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { metadata = "maybe" }
  }
  expect_failures = [var.options]
}

run "unknown_allow" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { allow = ["sudo", "root"] }
  }
  expect_failures = [var.options]
}

run "unknown_allow_as_text" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { allow = "sudo,root" }
  }
  expect_failures = [var.options]
}

run "no_labels_at_all" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { no-default-labels = true }
  }
  expect_failures = [var.options]
}

run "group_of_a_repository" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org/hello"
    token_command    = "t"
    options          = { runnergroup = "big" }
  }
  expect_failures = [var.options]
}

run "settled_by_the_jitconfig" {
  command = plan
  variables {
    for_one_machine  = true
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    jitconfig        = file("../cloud-init/jitconfig.example")
    options          = { ephemeral = true }
  }
  expect_failures = [var.options]
}

run "jit_by_a_registration_token" {
  command = plan
  variables {
    for_one_machine    = true
    program_version    = "1.2.3"
    checksums_sha256   = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                = "https://github.com/octo-org"
    registration_token = "EXAMPLE"
    options            = { jit = true }
  }
  expect_failures = [var.options]
}

run "no_credential" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
  }
  expect_failures = [var.token_command]
}

run "empty_command" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = " "
  }
  expect_failures = [var.token_command]
}

run "two_credentials" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    app              = { id = "1", key_command = "k" }
  }
  expect_failures = [var.token_command]
}

run "app_without_an_id" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    app              = { id = "", key_command = "k" }
  }
  expect_failures = [var.app]
}

run "app_without_a_key" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    app              = { id = "1" }
  }
  expect_failures = [var.app]
}

run "app_with_two_keys" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    app              = { id = "1", key_command = "k" }
    options          = { app-key-file = "/k" }
  }
  expect_failures = [var.app]
}

run "key_without_an_app" {
  command = plan
  variables {
    program_version            = "1.2.3"
    checksums_sha256           = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                        = "https://github.com/octo-org"
    token_command              = "t"
    app_key                    = "k"
    allow_secrets_in_user_data = true
  }
  expect_failures = [var.app]
}

run "key_file_without_an_app" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { app-key-file = "/k" }
  }
  expect_failures = [var.app]
}

run "no_jitconfig" {
  command = plan
  variables {
    for_one_machine  = true
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    jitconfig        = "eyJhIjoxfQ=="
  }
  expect_failures = [var.jitconfig]
}

run "empty_registration_token" {
  command = plan
  variables {
    for_one_machine    = true
    program_version    = "1.2.3"
    checksums_sha256   = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                = "https://github.com/octo-org"
    registration_token = ""
  }
  expect_failures = [var.registration_token]
}

run "registration_token_of_two_lines" {
  command = plan
  variables {
    for_one_machine    = true
    program_version    = "1.2.3"
    checksums_sha256   = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                = "https://github.com/octo-org"
    registration_token = "A\nB"
  }
  expect_failures = [var.registration_token]
}

run "both_brought" {
  command = plan
  variables {
    for_one_machine    = true
    program_version    = "1.2.3"
    checksums_sha256   = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                = "https://github.com/octo-org"
    registration_token = "EXAMPLE"
    jitconfig          = file("../cloud-init/jitconfig.example")
  }
  expect_failures = [var.registration_token]
}

run "package_of_another_kind" {
  command = plan
  variables {
    url           = "https://github.com/octo-org"
    token_command = "t"
    package       = { url = "https://example.com/a.zip", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  expect_failures = [var.package]
}

run "package_without_its_digest" {
  command = plan
  variables {
    url           = "https://github.com/octo-org"
    token_command = "t"
    package       = { url = "https://example.com/a.deb", sha256 = "00" }
  }
  expect_failures = [var.package]
}

run "package_and_baked" {
  command = plan
  variables {
    url           = "https://github.com/octo-org"
    token_command = "t"
    baked         = true
    package       = { url = "https://example.com/a.deb", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  expect_failures = [var.package]
}

run "version_for_a_shell" {
  command = plan
  variables {
    url              = "https://github.com/octo-org"
    token_command    = "t"
    program_version  = "1.2.3; reboot"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
  }
  expect_failures = [var.program_version]
}

run "version_and_baked" {
  command = plan
  variables {
    url              = "https://github.com/octo-org"
    token_command    = "t"
    baked            = true
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
  }
  expect_failures = [var.program_version]
}

run "version_and_package" {
  command = plan
  variables {
    url              = "https://github.com/octo-org"
    token_command    = "t"
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    package          = { url = "https://example.com/a.deb", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  expect_failures = [var.program_version]
}

run "version_without_its_digest" {
  command = plan
  variables {
    url             = "https://github.com/octo-org"
    token_command   = "t"
    program_version = "1.2.3"
  }
  expect_failures = [var.checksums_sha256]
}

run "digest_of_no_length" {
  command = plan
  variables {
    url              = "https://github.com/octo-org"
    token_command    = "t"
    program_version  = "1.2.3"
    checksums_sha256 = "00"
  }
  expect_failures = [var.checksums_sha256]
}

run "digest_without_a_version" {
  command = plan
  variables {
    url              = "https://github.com/octo-org"
    token_command    = "t"
    baked            = true
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
  }
  expect_failures = [var.checksums_sha256]
}

run "token_unawares" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token            = "example"
  }
  expect_failures = [var.token]
}

run "token_with_a_blank" {
  command = plan
  variables {
    program_version            = "1.2.3"
    checksums_sha256           = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                        = "https://github.com/octo-org"
    token                      = "a b"
    allow_secrets_in_user_data = true
  }
  expect_failures = [var.token]
}

run "app_key_unawares" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    app              = { id = "1" }
    app_key          = "k"
  }
  expect_failures = [var.app_key]
}

run "empty_app_key" {
  command = plan
  variables {
    program_version            = "1.2.3"
    checksums_sha256           = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                        = "https://github.com/octo-org"
    app                        = { id = "1" }
    app_key                    = " "
    allow_secrets_in_user_data = true
  }
  expect_failures = [var.app_key]
}

run "command_and_file" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    token_command    = "t"
    options          = { token-file = "/run/vault/token" }
  }
  expect_failures = [var.token_command]
}

run "jitconfig_for_all_machines" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    jitconfig        = file("../cloud-init/jitconfig.example")
  }
  expect_failures = [var.jitconfig]
}

run "registration_token_for_all_machines" {
  command = plan
  variables {
    program_version    = "1.2.3"
    checksums_sha256   = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url                = "https://github.com/octo-org"
    registration_token = "EXAMPLE"
  }
  expect_failures = [var.registration_token]
}

run "file_without_a_place" {
  command = plan
  variables {
    url           = "https://github.com/octo-org"
    token_command = "t"
    baked         = true
    files         = [{ path = "ca.pem", content = "x" }]
  }
  expect_failures = [var.files]
}

run "file_with_other_permissions" {
  command = plan
  variables {
    url           = "https://github.com/octo-org"
    token_command = "t"
    baked         = true
    files         = [{ path = "/etc/ca.pem", content = "x", permissions = "644" }]
  }
  expect_failures = [var.files]
}
