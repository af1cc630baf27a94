curl -fsSL https://github.com/runner-bootstrap/runner-bootstrap/releases/latest/download/install.sh | sudo sh
gh auth token | sudo runner-bootstrap doctor --url https://github.com/OWNER/REPO --token-file -
gh auth token | sudo runner-bootstrap install --url https://github.com/OWNER/REPO --token-file -
