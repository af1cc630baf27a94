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
		"Nova":                      {map[string]string{"sys_vendor": "Red Hat", "product_name": "OpenStack Compute", "bios_version": "1.16", "chassis_asset_tag": ""}, OpenStack},
		"Nova, upstream":            {map[string]string{"sys_vendor": "QEMU", "product_name": "OpenStack Nova"}, OpenStack},
		"Nova, by its vendor":       {map[string]string{"sys_vendor": "OpenStack Foundation", "product_name": "KVM"}, OpenStack},
		"Nova, by a tag":            {map[string]string{"sys_vendor": "VMware, Inc.", "product_name": "VMware7,1", "chassis_asset_tag": "OpenStack Nova"}, OpenStack},
		"T-Systems":                 {map[string]string{"sys_vendor": "Xen", "product_name": "HVM domU", "bios_version": "4.1", "chassis_asset_tag": "OpenTelekomCloud"}, OpenStack},
		"SAP":                       {map[string]string{"sys_vendor": "VMware, Inc.", "product_name": "VMware7,1", "chassis_asset_tag": "SAP CCloud VM"}, OpenStack},
		"Huawei":                    {map[string]string{"sys_vendor": "Huawei Cloud", "product_name": "ECS", "chassis_asset_tag": "HUAWEICLOUD"}, OpenStack},
		"Samsung":                   {map[string]string{"product_name": "KVM", "chassis_asset_tag": "Samsung Cloud Platform"}, OpenStack},
		"OpenStack's wrong fields":  {map[string]string{"sys_vendor": "HUAWEICLOUD", "product_name": "OpenStack Foundation", "chassis_asset_tag": "OpenStack Foundation"}, ""},
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
