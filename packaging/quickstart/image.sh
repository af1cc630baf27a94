sudo runner-bootstrap prepare
sudo runner-bootstrap prepare --seal
