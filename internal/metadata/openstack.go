package metadata

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

const (
	openStackPath     = "/openstack/latest/meta_data.json"
	openStackTypePath = "/latest/meta-data/instance-type" // as on EC2
)

// openStack asks Nova, or what a vendor has made of it.
type openStack struct{ service *service }

// openStackServer is the answer for openStackPath, with the fields that matter here.
type openStackServer struct {
	UUID             string `json:"uuid"`
	AvailabilityZone string `json:"availability_zone"`

	// Nova does not say these, but some vendors do, such as Huawei and T-Systems.
	RegionID     string `json:"region_id"`
	InstanceType string `json:"instance_type"`
}

func (o *openStack) facts(ctx context.Context) (Facts, error) {
	q := question{path: openStackPath}
	said, err := o.service.ask(ctx, q)
	if err != nil {
		return Facts{}, err
	}
	if said.status != http.StatusOK {
		return Facts{}, q.refused(said)
	}
	var server openStackServer
	if err := json.Unmarshal([]byte(said.body), &server); err != nil {
		return Facts{}, q.unclear("answer is not the expected JSON")
	}
	if server.InstanceType == "" {
		if server.InstanceType, err = o.instanceType(ctx); err != nil {
			return Facts{}, err
		}
	}
	return q.facts(Facts{OpenStack, server.UUID, server.RegionID, server.AvailabilityZone, server.InstanceType})
}

// instanceType is empty where the service does not speak the language of EC2.
func (o *openStack) instanceType(ctx context.Context) (string, error) {
	q := question{path: openStackTypePath}
	said, err := o.service.ask(ctx, q)
	if err != nil {
		return "", err
	}
	switch said.status {
	case http.StatusOK:
	case http.StatusNotFound:
		return "", nil
	default:
		return "", q.refused(said)
	}
	name := strings.TrimSpace(said.body)
	if !isFact(name) {
		return "", q.unclear(unusable)
	}
	return name, nil
}
