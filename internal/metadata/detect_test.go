package metadata

import (
	"testing"
	"testing/fstest"
)

func TestFromDMI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields map[string]string
		want   Cloud
	}{
		"nothing":                   {nil, ""},
		"a PC":                      {map[string]string{"sys_vendor": "Dell Inc.", "product_name": "OptiPlex", "bios_version": "1.2", "chassis_asset_tag": ""}, ""},
		"Nitro":                     {map[string]string{"sys_vendor": "Amazon EC2", "product_name": "c5.large", "bios_version": "1.0", "chassis_asset_tag": "Amazon EC2"}, AWS},
		"Xen":                       {map[string]string{"sys_vendor": "Xen", "product_name": "HVM domU", "bios_version": "4.11.amazon"}, AWS},
		"Xen of others":             {map[string]string{"sys_vendor": "Xen", "product_name": "HVM domU", "bios_version": "4.11"}, ""},
		"Google":                    {map[string]string{"sys_vendor": "Google", "product_name": "Google Compute Engine", "bios_version": "Google"}, GoogleCloud},
		"a laptop of Google":        {map[string]string{"sys_vendor": "Google", "product_name": "Eve", "bios_version": "MrChromebox-4.14"}, ""},
		"Azure":                     {map[string]string{"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine", "bios_version": "Hyper-V UEFI Release v4.1", "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}, Azure},
		"Hyper-V":                   {map[string]string{"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine", "chassis_asset_tag": "1234-5678-9012-3456-7890-1234-56"}, ""},
		"names in the wrong fields": {map[string]string{"sys_vendor": "Google Compute Engine", "product_name": "Amazon EC2"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := fstest.MapFS{}
			for field, value := range c.fields {
				folder[field] = &fstest.MapFile{Data: []byte(value + "\n")}
			}
			if got, found := fromDMI(folder); got != c.want || found != (c.want != "") {
				t.Errorf("got %q, %t, want %q", got, found, c.want)
			}
		})
	}
}
