variable "stage" {
  type = string
}

variable "replicas" {
  type    = number
  default = 1
}

variable "password" {
  type      = string
  default   = ""
  sensitive = true
}

resource "terraform_data" "service" {
  input = var.stage
  # A hash of the password: what a resource is given as it is, the state keeps as it is, and later plans show.
  triggers_replace = sha256(var.password)
}

resource "terraform_data" "replica" {
  count            = var.replicas
  input            = "${var.stage}-${count.index + 1}"
  triggers_replace = terraform_data.service.id

  provisioner "local-exec" {
    command = "echo starting ${self.input}"
  }
}

output "replicas" {
  value = terraform_data.replica[*].output
}
