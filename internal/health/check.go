package health

// CheckURL tells why a webhook cannot have this URL; the error matches
// [ErrWebhook] and does not repeat it.
func CheckURL(raw string) error {
	_, err := parseTarget(raw)
	return err
}
