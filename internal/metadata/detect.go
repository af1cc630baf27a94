package metadata

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	// dmiFolder is where Linux shows what the firmware says of the machine.
	dmiFolder = "/sys/class/dmi/id"
	// azureTag is on every virtual machine of Azure, and on no other of Microsoft's.
	azureTag = "7783-7084-3265-9085-8269-3286-77"
	// probeTimeout is for all clouds together: where there is none, this is how long
	// the start of the program waits in vain.
	probeTimeout = time.Second
)

// Detect returns the cloud that this machine belongs to, for Await: false if it belongs
// to none that is known, or to one that gives no notice. Linux knows it from the
// firmware. Where that says nothing, as in containers, the metadata services are asked,
// which takes a second at most, and less when ctx ends. It may be repeated, and nothing
// is left of it.
func Detect(ctx context.Context) (Cloud, bool) {
	s := newService()
	defer s.close()
	cloud, found := Firmware()
	if !found {
		cloud, found = probe(ctx, s)
	}
	if !found || cloud == OpenStack {
		return "", false
	}
	return cloud, true
}

// Firmware is what the firmware alone says of this machine, at once: the cloud that it belongs to.
func Firmware() (Cloud, bool) { return fromDMI(os.DirFS(dmiFolder)) }

// fromDMI reads what the firmware says, each field of it a file in folder.
func fromDMI(folder fs.FS) (Cloud, bool) {
	field := func(name string) string {
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return "" // another platform, or a container
		}
		return strings.TrimSpace(string(content))
	}
	switch tag := field("chassis_asset_tag"); {
	case tag == azureTag:
		return Azure, true
	case field("sys_vendor") == "Amazon EC2",
		strings.HasSuffix(strings.ToLower(field("bios_version")), ".amazon"): // Xen, such as "4.11.amazon"
		return AWS, true
	case field("product_name") == "Google Compute Engine": // the vendor "Google" has laptops, too
		return GoogleCloud, true
	case isOpenStackName(field("product_name")), isOpenStackName(tag), isOpenStackTag(tag),
		field("sys_vendor") == "OpenStack Foundation":
		return OpenStack, true
	default:
		return "", false
	}
}

// isOpenStackName knows how Nova calls its machines, as a product, or in the tag where
// the hypervisor lets nobody choose the product.
func isOpenStackName(name string) bool {
	return name == "OpenStack Nova" || name == "OpenStack Compute"
}

// isOpenStackTag knows those who put their own name there.
func isOpenStackTag(tag string) bool {
	switch tag {
	case "HUAWEICLOUD", "OpenTelekomCloud", "SAP CCloud VM", "Samsung Cloud Platform":
		return true
	default:
		return false
	}
}

// probe asks for all clouds at once, and believes the answers that only the service of one cloud would give. Where several give
// such answers, as a service that stands in for them may, it is the first in the order of this list, whichever answers first.
func probe(ctx context.Context, s *service) (Cloud, bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	probes := []struct {
		cloud  Cloud
		is     func(context.Context, *service) bool
		answer chan bool
	}{
		{AWS, isAWS, make(chan bool, 1)},
		{GoogleCloud, isGoogle, make(chan bool, 1)},
		{Azure, isAzure, make(chan bool, 1)},
		{OpenStack, isOpenStack, make(chan bool, 1)},
	}
	for _, p := range probes {
		go func() { p.answer <- p.is(ctx, s) }()
	}
	var found Cloud
	for _, p := range probes { // all of them, so that none is left behind
		if is := <-p.answer; is && found == "" {
			found = p.cloud
			cancel()
		}
	}
	return found, found != ""
}

// isAWS wants a token, and that the one who gives it is not OpenStack, which speaks
// the language of EC2 beside its own.
func isAWS(ctx context.Context, s *service) bool {
	said, err := s.ask(ctx, awsTokenQuestion())
	if err != nil || said.status != http.StatusOK || said.body == "" || said.header.Get(awsTTLHeader) == "" {
		return false
	}
	said, err = s.ask(ctx, question{path: openStackPath})
	return err == nil && !said.isOpenStack()
}

func isOpenStack(ctx context.Context, s *service) bool {
	said, err := s.ask(ctx, question{path: openStackPath})
	return err == nil && said.isOpenStack()
}

// isOpenStack tells whether an answer for openStackPath is one of Nova.
func (a answer) isOpenStack() bool {
	var server openStackServer
	return a.status == http.StatusOK && json.Unmarshal([]byte(a.body), &server) == nil && server.UUID != ""
}

func isGoogle(ctx context.Context, s *service) bool {
	said, err := s.ask(ctx, question{path: googleRootPath, header: map[string]string{googleFlavorHeader: googleFlavor}})
	return err == nil && said.status == http.StatusOK && said.header.Get(googleFlavorHeader) == googleFlavor
}

func isAzure(ctx context.Context, s *service) bool {
	said, err := s.ask(ctx, question{path: azureComputePath, header: azureHeader()})
	if err != nil || said.status != http.StatusOK {
		return false
	}
	var machine azureMachine
	return json.Unmarshal([]byte(said.body), &machine) == nil && machine.VMID != ""
}
