runner-bootstrap cloud-init --url https://github.com/OWNER/REPO --token-command 'COMMAND' >user-data
