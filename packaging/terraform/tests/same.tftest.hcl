# What the module makes means what the cloud-init command prints. The files of expected/
# are the command's own words, which a Go test holds (test/infrastructure).

run "app" {
  command = plan
  variables {
    package = {
      url    = "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v1.2.3/runner-bootstrap_linux_amd64.deb"
      sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    }
    url     = "https://github.com/octo-org"
    options = { name = "{instance_id}", labels = ["gpu", "{zone}"], deregister-on-stop = true, dir = null }
    app = {
      id          = "Iv23liExample"
      key_command = "aws secretsmanager get-secret-value --secret-id runner-app-key --query SecretString --output text"
    }
  }
}

run "app_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "../cloud-init/app.yaml"
    user_data = run.app.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

run "jit" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    for_one_machine = true
    url             = "https://github.com/octo-org"
    package = {
      url    = "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v1.2.3/runner-bootstrap_linux_amd64.deb"
      sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    }
    jitconfig = file("../cloud-init/jitconfig.example")
    options   = { on-exit = "poweroff" }
  }
}

run "jit_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "../cloud-init/jit.yaml"
    user_data = run.jit.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

run "baked" {
  command = plan
  variables {
    url           = "https://github.com/octo-org"
    baked         = true
    options       = { ephemeral = true, deregister-on-stop = true }
    token_command = "gcloud secrets versions access latest --secret=runner-token"
  }
}

run "baked_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "../cloud-init/baked.yaml"
    user_data = run.baked.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

run "several" {
  command = plan
  variables {
    package = {
      url    = "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v1.2.3/runner-bootstrap_linux_amd64.deb"
      sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    }
    url           = "https://github.com/octo-org"
    options       = { name = "{instance_id}-{n}", count = 4 }
    token_command = "az keyvault secret show --vault-name runners --name token --query value --output tsv"
  }
}

run "several_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "../cloud-init/several.yaml"
    user_data = run.several.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

# A package, and words that a shell must not read.
run "package" {
  command = plan
  variables {
    url           = "https://ghe.example.com/octo-org/hello"
    token_command = "vault read  -field=token \"secret/ci\" | tr -d \"\\n\""
    package = {
      url    = "https://mirror.example.com/(1)/runner-bootstrap_linux_amd64.deb"
      sha256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
    }
    options = {
      proxy       = "http://proxy.example.com:3128"
      no-proxy    = "localhost,*.example.com"
      env         = ["GREETING=VALUE"]
      max-idle    = "1h0m0s"
      allow       = ["docker", "sudo"]
      connections = 2
    }
  }
}

run "package_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "./tests/expected/package.yaml"
    user_data = run.package.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

# A certain release, and a token for an hour.
run "registration" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    for_one_machine    = true
    url                = "https://github.com/octo-org"
    registration_token = file("./tests/expected/registration-token.example")
    package = {
      url    = "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v1.2.3/runner-bootstrap_linux_amd64.deb"
      sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    }
    options = {
      ephemeral         = true
      runnergroup       = "big"
      labels            = ["a", "b"]
      no-default-labels = true
      proxy             = "http://proxy.example.com:3128"
    }
  }
}

run "registration_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "./tests/expected/registration.yaml"
    user_data = run.registration.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

# A release, pinned by the list of its digests.
run "release" {
  command = plan
  variables {
    url              = "https://github.com/octo-org"
    token_command    = "vault read -field=token secret/ci"
    program_version  = "1.2.3"
    checksums_sha256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
  }
}

run "release_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "./tests/expected/release.yaml"
    user_data = run.release.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

# An app's key, and everything below another directory.
run "app_key" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    url                        = "https://github.com/enterprises/octo"
    app                        = { id = "12345", installation_id = "678" }
    app_key                    = file("./tests/expected/app-key.example")
    allow_secrets_in_user_data = true
    baked                      = true
    options                    = { dir = "/srv/a b" }
  }
}

run "app_key_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "./tests/expected/app-key.yaml"
    user_data = run.app_key.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

run "token" {
  command = plan
  module { source = "./tests/whole" }
  variables {
    url                        = "https://github.com/octo-org"
    token                      = file("./tests/expected/token.example")
    allow_secrets_in_user_data = true
    package = {
      url    = "https://mirror.example.com/runner-bootstrap.rpm"
      sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }
    options = { max-jobs = 1, on-exit = "poweroff" }
  }
}

run "token_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "./tests/expected/token.yaml"
    user_data = run.token.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

# What the examples tell their machines.

run "aws" {
  command = plan
  module { source = "./examples/aws-autoscaling-group/user-data" }
  variables {
    url           = "https://github.com/octo-org"
    labels        = ["gpu"]
    region        = "eu-central-1"
    secret_arn    = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:runner-token"
    group         = "runners"
    hook          = "let-the-job-finish"
    hook_seconds  = 900
    drain_minutes = 30
  }
}

run "aws_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "./tests/expected/aws.yaml"
    user_data = run.aws.user_data
    beside    = ["/var/lib/cloud/scripts/per-boot/leave-group"]
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
  # As test/e2e gives it to a machine.
  assert {
    condition = output.beside == [{
      path        = "/var/lib/cloud/scripts/per-boot/leave-group"
      permissions = "0755"
      content = join("\n", [
        "#!/bin/sh",
        "GROUP='runners' HOOK='let-the-job-finish' REGION='eu-central-1' SECONDS_WITHOUT=900 DRAIN_MINUTES=30",
        file("./examples/aws-autoscaling-group/leave.sh"),
      ])
    }]
    error_message = "The machine gets ${jsonencode(output.beside)}"
  }
}

run "google" {
  command = plan
  module { source = "./examples/google-instance-group/user-data" }
  variables {
    url     = "https://github.com/octo-org"
    labels  = []
    project = "example"
    secret  = "runner-token"
  }
}

run "google_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "./tests/expected/google.yaml"
    user_data = run.google.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}

run "azure" {
  command = plan
  module { source = "./examples/azure-scale-set/user-data" }
  variables {
    url        = "https://github.com/octo-org"
    labels     = ["gpu"]
    client_id  = "00000000-0000-0000-0000-000000000001"
    vault_name = "runners"
    secret     = "token"
  }
}

run "azure_means_the_same" {
  command = plan
  module { source = "./tests/compare" }
  variables {
    printed   = "./tests/expected/azure.yaml"
    user_data = run.azure.user_data
  }
  assert {
    condition     = output.made == output.printed
    error_message = "It differs from what the command prints.\nmodule:  ${output.made}\ncommand: ${output.printed}"
  }
}
