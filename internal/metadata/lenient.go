package metadata

import "encoding/json"

// text is a field that should be a string. Something else there is kept as it is written, so that it means nothing that is
// known, and takes no field beside it away; null is empty.
type text string

// UnmarshalJSON takes in whatever is valid JSON.
func (t *text) UnmarshalJSON(raw []byte) error {
	var said *string
	switch err := json.Unmarshal(raw, &said); {
	case err != nil:
		*t = text(raw)
	case said != nil:
		*t = text(*said)
	}
	return nil
}

// names is a field that should be a list of strings. One string is a list of one.
type names struct {
	list   []string
	unread bool // something else is there, in all of the field or in a part of it
}

// UnmarshalJSON takes in whatever is valid JSON.
func (n *names) UnmarshalJSON(raw []byte) error {
	*n = names{}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		items = []json.RawMessage{raw}
	}
	for _, item := range items {
		var name *string
		if json.Unmarshal(item, &name) != nil || name == nil {
			n.unread = true
			continue
		}
		n.list = append(n.list, *name)
	}
	return nil
}
