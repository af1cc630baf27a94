# scripts/package.sh writes the version and the digests of the archives into this.
class RunnerBootstrap < Formula
  desc "Turn a host into a GitHub Actions self-hosted runner"
  homepage "https://github.com/runner-bootstrap/runner-bootstrap"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v@VERSION@/runner-bootstrap_darwin_arm64.tar.gz"
      sha256 "@SHA256:runner-bootstrap_darwin_arm64.tar.gz@"
    end
    on_intel do
      url "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v@VERSION@/runner-bootstrap_darwin_amd64.tar.gz"
      sha256 "@SHA256:runner-bootstrap_darwin_amd64.tar.gz@"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v@VERSION@/runner-bootstrap_linux_arm64.tar.gz"
      sha256 "@SHA256:runner-bootstrap_linux_arm64.tar.gz@"
    end
    on_intel do
      url "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v@VERSION@/runner-bootstrap_linux_amd64.tar.gz"
      sha256 "@SHA256:runner-bootstrap_linux_amd64.tar.gz@"
    end
  end

  def install
    bin.install "runner-bootstrap"
    doc.install "NOTICES"
    # The paths in the manual are those of the system that it is written on.
    system bin/"runner-bootstrap", "manual", buildpath/"manual"
    man1.install "manual/runner-bootstrap.1"
    bash_completion.install "manual/runner-bootstrap.bash" => "runner-bootstrap"
    zsh_completion.install "manual/_runner-bootstrap"
    fish_completion.install "manual/runner-bootstrap.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/runner-bootstrap version")
  end
end
