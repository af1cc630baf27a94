module "runner" {
  source = "./user-data"

  url     = var.url
  labels  = var.labels
  project = var.project
  secret  = var.secret
}

# What the machine may do: read this one secret.

resource "google_service_account" "runner" {
  project      = var.project
  account_id   = var.name
  display_name = "GitHub Actions runners"
}

resource "google_secret_manager_secret_iam_member" "runner" {
  project   = var.project
  secret_id = var.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.runner.member
}

resource "google_compute_instance_template" "runner" {
  project      = var.project
  region       = var.region
  name_prefix  = "${var.name}-"
  machine_type = var.machine_type

  metadata = {
    user-data              = module.runner.user_data
    block-project-ssh-keys = "true"
  }

  disk {
    source_image = var.image
    disk_type    = "pd-balanced"
    boot         = true
    auto_delete  = true
  }

  # Without an address of its own; it reaches GitHub through the network's NAT.
  network_interface {
    subnetwork = var.subnetwork
  }

  scheduling {
    provisioning_model          = "SPOT"
    preemptible                 = true
    automatic_restart           = false
    instance_termination_action = "STOP"
  }

  service_account {
    email  = google_service_account.runner.email
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_region_instance_group_manager" "runner" {
  project            = var.project
  region             = var.region
  name               = var.name
  base_instance_name = var.name
  target_size        = var.machines

  version {
    instance_template = google_compute_instance_template.runner.self_link_unique
  }

  # A machine that has stopped by itself is made again, with a new disk.
  instance_lifecycle_policy {
    default_action_on_failure = "REPAIR"
  }

  # Machines go after their job, so a new template needs no roll-out that cuts jobs off.
  update_policy {
    type                         = "OPPORTUNISTIC"
    minimal_action               = "REPLACE"
    instance_redistribution_type = "NONE"
    max_surge_fixed              = 0
    max_unavailable_fixed        = 5
  }

  lifecycle {
    # What somebody scales the group to is not undone by the next apply.
    ignore_changes = [target_size]
  }

  depends_on = [google_secret_manager_secret_iam_member.runner]
}
