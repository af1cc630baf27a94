curl -fsSL --remote-name-all https://github.com/runner-bootstrap/runner-bootstrap/releases/download/vVERSION/{checksums.txt,install.sh}
echo 'SHA256  checksums.txt' | sha256sum -c - && sha256sum -c --ignore-missing checksums.txt && sudo sh install.sh --version VERSION --checksums-sha256 SHA256
gh auth token | sudo runner-bootstrap doctor --url https://github.com/OWNER/REPO --token-file -
gh auth token | sudo runner-bootstrap install --url https://github.com/OWNER/REPO --token-file -
