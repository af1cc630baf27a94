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

// Detect returns the cloud that this machine belongs to, and false if it belongs to
// none that is known. Linux knows it from the firmware. Where that says nothing, as
// in containers, the metadata services are asked, which takes a second at most, and
// less when ctx ends. It may be repeated, and nothing is left of it.
func Detect(ctx context.Context) (Cloud, bool) {
	if cloud, found := fromDMI(os.DirFS(dmiFolder)); found {
		return cloud, true
	}
	s := newService()
	defer s.close()
	return probe(ctx, s)
}

// fromDMI reads what the firmware says, each field of it a file in folder.
func fromDMI(folder fs.FS) (Cloud, bool) {
	field := func(name string) string {
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return "" // another platform, or a container
		}
		return strings.TrimSpace(string(content))
	}
	switch {
	case field("chassis_asset_tag") == azureTag:
		return Azure, true
	case field("sys_vendor") == "Amazon EC2",
		strings.HasSuffix(strings.ToLower(field("bios_version")), ".amazon"): // Xen, such as "4.11.amazon"
		return AWS, true
	case field("product_name") == "Google Compute Engine": // the vendor "Google" has laptops, too
		return GoogleCloud, true
	default:
		return "", false
	}
}

// probe asks for all clouds at once, and believes the first answer that only the
// service of one cloud would give.
func probe(ctx context.Context, s *service) (Cloud, bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	probes := map[Cloud]func(context.Context, *service) bool{AWS: isAWS, GoogleCloud: isGoogle, Azure: isAzure}
	answers := make(chan Cloud, len(probes))
	for cloud, is := range probes {
		go func() {
			if !is(ctx, s) {
				cloud = ""
			}
			answers <- cloud
		}()
	}
	var found Cloud
	for range probes { // all of them, so that none is left behind
		if cloud := <-answers; cloud != "" && found == "" {
			found = cloud
			cancel()
		}
	}
	return found, found != ""
}

func isAWS(ctx context.Context, s *service) bool {
	said, err := s.ask(ctx, awsTokenQuestion())
	return err == nil && said.status == http.StatusOK && said.body != "" && said.header.Get(awsTTLHeader) != ""
}

func isGoogle(ctx context.Context, s *service) bool {
	said, err := s.ask(ctx, question{path: googleRootPath, header: map[string]string{googleFlavorHeader: googleFlavor}})
	return err == nil && said.status == http.StatusOK && said.header.Get(googleFlavorHeader) == googleFlavor
}

func isAzure(ctx context.Context, s *service) bool {
	said, err := s.ask(ctx, question{path: azureInstancePath, header: azureHeader()})
	if err != nil || said.status != http.StatusOK {
		return false
	}
	var instance struct {
		Compute map[string]any `json:"compute"`
	}
	return json.Unmarshal([]byte(said.body), &instance) == nil && len(instance.Compute) > 0
}
