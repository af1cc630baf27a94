# What is unusual and right is taken.

run "options_of_every_kind" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://GHE.example.com:8443/octo-org/hello.git"
    token_command    = "t"
    options          = { env = { A = 1, B = "b c" }, labels = "a,b", count = 2, ephemeral = true, allow = "sudo, docker", preemption = null, no-default-labels = true }
  }
}

run "loopback" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "http://127.0.0.1:8080/octo-org"
    token_command    = "t"
  }
}

run "group_of_an_enterprise" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/enterprises/octo"
    token_command    = "t"
    options          = { runnergroup = "big" }
  }
}

run "file_that_the_machine_has" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "https://github.com/octo-org"
    options          = { token-file = "/run/vault/token" }
  }
}

run "loopback_by_name" {
  command = plan
  variables {
    program_version  = "1.2.3"
    checksums_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    url              = "http://localhost:8080/octo-org"
    token_command    = "t"
  }
}
