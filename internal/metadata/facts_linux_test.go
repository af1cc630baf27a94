package metadata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
)

// identityDocument is the one of the documentation.
const identityDocument = `{
    "devpayProductCodes" : null,
    "marketplaceProductCodes" : [ "1abc2defghijklm3nopqrs4tu" ],
    "availabilityZone" : "us-west-2b",
    "privateIp" : "10.158.112.84",
    "version" : "2017-09-30",
    "instanceId" : "i-1234567890abcdef0",
    "billingProducts" : null,
    "instanceType" : "t2.micro",
    "accountId" : "123456789012",
    "imageId" : "ami-5fb8c835",
    "pendingTime" : "2016-11-19T16:32:11Z",
    "architecture" : "x86_64",
    "kernelId" : null,
    "ramdiskId" : null,
    "region" : "us-west-2"
}`

// novaMetaData has what Nova says, which is neither a region nor a type.
const novaMetaData = `{"random_seed":"yu5ZnkqF2CqnDZVAfZgarG==","availability_zone":"nova","launch_index":0,` +
	`"uuid":"d8e02d56-2648-49a3-bf97-6be8f1204f38","hostname":"test.novalocal","name":"test","devices":[],` +
	`"keys":[{"data":"ssh-rsa AAAA","type":"ssh","name":"mykey"}],"meta":{"role":"webservers"},"project_id":"f7ac731cc11f40efbc03a9f9e1d1d21f"}`

// huaweiMetaData says more than Nova.
const huaweiMetaData = `{"random_seed":"rEocCViRS==","uuid":"ca9e8b7c-f2be-4b6d-a639-f10b4d994d04","availability_zone":"eu-de-02",` +
	`"enterprise_project_id":"0","hostname":"ecs-ddd4.novalocal","launch_index":0,"instance_type":"s3.medium.2",` +
	`"meta":{"os_type":"Linux","charging_mode":"0"},"region_id":"eu-de","project_id":"6e8b0c94265645f39c5abbe63c4113c6","name":"ecs-ddd4"}`

func azureCompute(zone string) string {
	return fmt.Sprintf(`{"location":"westeurope","name":"worker_1","offer":"0001-com-ubuntu","osType":"Linux","placementGroupId":"",`+
		`"platformFaultDomain":"0","publicKeys":[],"publisher":"Canonical","resourceGroupName":"ci","sku":"22_04","subscriptionId":"8d10da13",`+
		`"tags":"a:b;c:d","version":"22.04.1","vmId":"02aab8a4-74ef-476e-8182-f6d2ba4166a6","vmScaleSetName":"","vmSize":"Standard_D4s_v5","zone":%q}`, zone)
}

// The machines of the simulators.
var (
	factsAWS       = Facts{AWS, "i-1234567890abcdef0", "us-west-2", "us-west-2b", "t2.micro"}
	factsGoogle    = Facts{GoogleCloud, "4520031799277581759", "europe-west1", "europe-west1-b", "n2-standard-4"}
	factsAzure     = Facts{Azure, "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "westeurope", "2", "Standard_D4s_v5"}
	factsOpenStack = Facts{OpenStack, "d8e02d56-2648-49a3-bf97-6be8f1204f38", "", "nova", "m1.small"}
)

// firmware is that of a machine of a cloud.
func firmware(cloud Cloud) fstest.MapFS {
	field := map[Cloud][2]string{
		AWS: {"sys_vendor", "Amazon EC2"}, GoogleCloud: {"product_name", "Google Compute Engine"},
		Azure: {"chassis_asset_tag", azureTag}, OpenStack: {"product_name", "OpenStack Nova"},
	}[cloud]
	return fstest.MapFS{field[0]: {Data: []byte(field[1] + "\n")}}
}

// serveTokens lets a service give tokens as that of EC2.
func serveTokens(s *simulator) {
	s.spoil(token, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		io.WriteString(w, "token")
	})
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Error(w, "what the service said", code) }
}

// once spoils a path for the first question.
func (s *simulator) once(path string, answer http.HandlerFunc) {
	s.spoil(path, func(w http.ResponseWriter, r *http.Request) {
		s.spoil(path, nil)
		answer(w, r)
	})
}

// finds looks up with what the firmware says, for a few seconds at most.
func finds(t *testing.T, firmware fstest.MapFS, want Facts) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if got, err := lookup(ctx, firmware); err != nil || got != want {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
}

// unanswered looks up in vain, for as long as several questions need.
func unanswered(t *testing.T, cloud Cloud, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 350*time.Millisecond)
	defer cancel()
	begin := time.Now()
	facts, err := lookup(ctx, firmware(cloud))
	if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoCloud) || facts != (Facts{}) {
		t.Fatalf("got %+v and %v, want no facts, and both ErrNoAnswer and the error of the context", facts, err)
	}
	begun := fmt.Sprintf("looking up the facts of cloud %q: no clear answer in time (context deadline exceeded): asking the metadata service for ", cloud)
	// The time may run out while it is asked once more.
	if text := err.Error(); !strings.HasPrefix(text, begun) || !strings.HasSuffix(text, want) {
		t.Errorf("got  %s\nwant %s%s", err, begun, want)
	}
	if took := time.Since(begin); took > 1500*time.Millisecond {
		t.Errorf("took %s, want no longer than the context", took)
	}
}

func testLookup(t *testing.T) {
	run := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { configure(t); test(t) })
	}
	run("AWS", func(t *testing.T) {
		s := newSimulatedAWS(t)
		finds(t, firmware(AWS), factsAWS)
		if n := s.tokens(); n != 1 {
			t.Errorf("%d tokens were issued, want 1", n)
		}
		until(t, "all connections closed", func() bool { return s.connections() == 0 })
		finds(t, firmware(AWS), factsAWS) // it may be repeated
	})
	for _, code := range []int{403, 404, 405} {
		run(fmt.Sprintf("AWS, no tokens, %d", code), func(t *testing.T) {
			s := newSimulatedAWS(t)
			s.optional = true
			s.spoil(token, status(code))
			finds(t, firmware(AWS), factsAWS)
		})
	}
	run("AWS, no tokens yet", func(t *testing.T) {
		s := newSimulatedAWS(t)
		s.once(token, status(http.StatusNotFound))
		s.spoil(identity, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Aws-Ec2-Metadata-Token") == "" {
				http.Error(w, "", http.StatusForbidden)
				return
			}
			s.handle(w, r)
		})
		finds(t, firmware(AWS), factsAWS)
		if n := s.tokens(); n != 1 {
			t.Errorf("%d tokens were issued, want the second question to ask for one", n)
		}
	})
	run("Google", func(t *testing.T) {
		s := newSimulatedGoogle(t)
		finds(t, firmware(GoogleCloud), factsGoogle)
		if n := s.count("/computeMetadata/v1/instance/"); n != 0 {
			t.Error("all that users attached to the machine was asked for")
		}
	})
	run("Google, less", func(t *testing.T) {
		s := newSimulatedGoogle(t)
		s.set(instanceID, "1\n")
		s.spoil(zone, status(http.StatusNotFound))
		s.spoil(machineType, status(http.StatusNotFound))
		finds(t, firmware(GoogleCloud), Facts{Cloud: GoogleCloud, InstanceID: "1"})
		s.spoil(zone, nil)
		s.set(zone, "projects/1/zones/moon")
		finds(t, firmware(GoogleCloud), Facts{Cloud: GoogleCloud, InstanceID: "1", Zone: "moon"})
	})
	run("Azure", func(t *testing.T) {
		s := newSimulatedAzure(t)
		finds(t, firmware(Azure), factsAzure)
		want := factsAzure
		want.Zone = ""
		s.set(compute, azureCompute(""))
		finds(t, firmware(Azure), want)
		s.set(compute, strings.Replace(azureCompute("2"), `"zone":"2"`, `"x":0`, 1))
		finds(t, firmware(Azure), want)
	})
	run("OpenStack", func(t *testing.T) {
		s := newSimulatedOpenStack(t)
		serveTokens(s)
		finds(t, firmware(OpenStack), factsOpenStack)
		if n := s.count(token); n != 0 {
			t.Errorf("a token was asked for %d times where the firmware says that it is not EC2", n)
		}
		want := factsOpenStack
		want.InstanceType = ""
		s.spoil(ec2Type, status(http.StatusNotFound))
		finds(t, firmware(OpenStack), want)
		want.Zone = ""
		s.set(metaData, `{"uuid":"`+want.InstanceID+`","availability_zone":null}`)
		finds(t, firmware(OpenStack), want)
	})
	run("OpenStack of Huawei", func(t *testing.T) {
		s := newSimulatedOpenStack(t)
		s.set(metaData, huaweiMetaData)
		finds(t, firmware(OpenStack), Facts{OpenStack, "ca9e8b7c-f2be-4b6d-a639-f10b4d994d04", "eu-de", "eu-de-02", "s3.medium.2"})
		if n := s.count(ec2Type); n != 0 {
			t.Errorf("the type was asked for %d times, though it was said", n)
		}
	})
	run("late service", func(t *testing.T) {
		begin := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			finds(t, firmware(Azure), factsAzure)
		}()
		<-time.After(300 * time.Millisecond)
		newSimulatedAzure(t)
		<-done
		if took := time.Since(begin); took < 300*time.Millisecond || took > 2*time.Second {
			t.Errorf("took %s, want it soon after the service is there", took)
		}
	})
	for cloud, c := range map[Cloud]struct {
		path  string
		want  Facts
		serve func(*testing.T) *simulator
	}{
		AWS:         {identity, factsAWS, func(t *testing.T) *simulator { return newSimulatedAWS(t).simulator }},
		GoogleCloud: {zone, factsGoogle, func(t *testing.T) *simulator { return newSimulatedGoogle(t).simulator }},
		Azure:       {compute, factsAzure, newSimulatedAzure},
		OpenStack:   {metaData, factsOpenStack, newSimulatedOpenStack},
	} {
		run(string(cloud)+", good after 500s and garbage", func(t *testing.T) {
			s := c.serve(t)
			s.spoil(c.path, func(w http.ResponseWriter, r *http.Request) {
				if n := s.count(c.path); n == 3 {
					s.spoil(c.path, nil)
					w.Header().Set("Metadata-Flavor", "Google")
					io.WriteString(w, "garbage")
					return
				}
				status(http.StatusInternalServerError)(w, r)
			})
			finds(t, firmware(cloud), c.want)
			if n := s.count(c.path); n != 4 {
				t.Errorf("asked %d times, want 4", n)
			}
		})
	}
}

// testFound is Lookup where the firmware says nothing.
func testFound(t *testing.T) {
	run := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { configure(t); test(t) })
	}
	run("AWS", func(t *testing.T) { newSimulatedAWS(t); finds(t, nil, factsAWS) })
	run("Google", func(t *testing.T) { newSimulatedGoogle(t); finds(t, nil, factsGoogle) })
	run("Azure", func(t *testing.T) { newSimulatedAzure(t); finds(t, nil, factsAzure) })
	run("OpenStack", func(t *testing.T) { newSimulatedOpenStack(t); finds(t, nil, factsOpenStack) })
	run("OpenStack with tokens", func(t *testing.T) { serveTokens(newSimulatedOpenStack(t)); finds(t, nil, factsOpenStack) })
	run("what was found is asked as long", func(t *testing.T) {
		s := newSimulatedAWS(t)
		s.once(identity, status(500))
		finds(t, nil, factsAWS)
	})

	none := func(t *testing.T) {
		t.Helper()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		facts, err := lookup(ctx, fstest.MapFS{})
		if !errors.Is(err, ErrNoCloud) || errors.Is(err, ErrNoAnswer) || facts != (Facts{}) || err.Error() != "looking for a cloud: no cloud that is known" {
			t.Errorf("got %+v and %v, want ErrNoCloud", facts, err)
		}
		if took := time.Since(begin); took > 1500*time.Millisecond {
			t.Errorf("took %s, want a second at most", took)
		}
	}
	run("nobody", func(t *testing.T) {
		// The proxy of the environment, which claims to be Google's service.
		listener, err := net.Listen("tcp4", proxyAddress)
		if err != nil {
			t.Fatal(err)
		}
		var proxied atomic.Int32
		proxy := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			proxied.Add(1)
			w.Header().Set("Metadata-Flavor", "Google")
			io.WriteString(w, "1")
		})}
		go proxy.Serve(listener)
		defer proxy.Close()
		none(t)
		if n := proxied.Load(); n != 0 {
			t.Errorf("the proxy of the environment was asked %d times", n)
		}
	})
	hang := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	run("somebody who never answers", func(t *testing.T) {
		newSimulator().serve(t, hang)
		none(t)
	})
	run("version 1 of AWS may be anybody's", func(t *testing.T) {
		s := newSimulatedAWS(t)
		s.optional = true
		s.spoil(token, status(http.StatusNotFound))
		none(t)
	})
	run("context", func(t *testing.T) {
		newSimulator().serve(t, hang)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		facts, err := lookup(ctx, fstest.MapFS{})
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoCloud) || errors.Is(err, ErrNoAnswer) || facts != (Facts{}) {
			t.Errorf("got %+v and %v, want the error of the context alone, as it is not known whether there is a cloud", facts, err)
		}
	})
	run("Lookup itself", func(t *testing.T) {
		newSimulatedGoogle(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		facts, err := Lookup(ctx)
		if errors.Is(err, ErrNoAnswer) {
			t.Skip("this machine is in another cloud, by its firmware")
		}
		if err != nil || facts != factsGoogle {
			t.Errorf("got %+v and %v, want %+v", facts, err, factsGoogle)
		}
	})
}

func testUnanswered(t *testing.T) {
	run := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { configure(t); test(t) })
	}
	run("nobody", func(t *testing.T) {
		unanswered(t, AWS, token+": connect: connection refused")
		unanswered(t, GoogleCloud, instanceID+": connect: connection refused")
		unanswered(t, Azure, compute+": connect: connection refused")
		unanswered(t, OpenStack, metaData+": connect: connection refused")
	})
	run("no answer", func(t *testing.T) {
		s := newSimulatedOpenStack(t)
		s.spoil(ec2Type, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		unanswered(t, OpenStack, ec2Type+": no answer in time")
		s.once(metaData, status(503))
		unanswered(t, OpenStack, ec2Type+": no answer in time, after asking the metadata service for "+metaData+": unexpected status 503")
	})
	run("tokens that are refused", func(t *testing.T) {
		s := newSimulatedAWS(t)
		s.spoil(identity, status(http.StatusUnauthorized))
		unanswered(t, AWS, identity+": every token is refused")
	})
	run("closed", func(t *testing.T) {
		s := newSimulatedAWS(t)
		s.spoil(token, status(http.StatusForbidden))
		s.spoil(identity, status(http.StatusForbidden))
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := lookup(ctx, firmware(AWS)); !errors.Is(err, ErrClosed) || errors.Is(err, ErrNoAnswer) || time.Since(begin) > limit {
			t.Errorf("got %v after %s, want at once that it is closed", err, time.Since(begin))
		}
	})
	run("500", func(t *testing.T) {
		newSimulatedAzure(t).spoil(compute, status(500))
		unanswered(t, Azure, compute+": unexpected status 500")
	})
}

// testAnswers asks once for what must not be believed, and then for what must.
func testAnswers(t *testing.T) {
	var elsewhere atomic.Int32
	redirect := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "elsewhere" {
			elsewhere.Add(1)
		}
		http.Redirect(w, r, r.URL.Path+"?elsewhere", http.StatusFound)
	}
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			io.WriteString(w, text)
		}
	}
	const json, number, name = "answer is not the expected JSON", "answer is not a number", "answer is not the expected name"
	const anonymous, value, status302 = "answer does not name the instance", unusable, "unexpected status 302"
	long := strings.Repeat("x", 257)
	escape, longest := `\u001b[2J`, strings.Repeat("x", 256)
	onAWS := func(t *testing.T) *simulator { return newSimulatedAWS(t).simulator }
	onGoogle := func(t *testing.T) *simulator { return newSimulatedGoogle(t).simulator }
	document := func(from, to string) http.HandlerFunc { return say(strings.Replace(identityDocument, from, to, 1)) }
	for i, c := range []struct {
		cloud  Cloud
		serve  func(*testing.T) *simulator
		path   string
		answer http.HandlerFunc
		want   string // the error; none if empty
	}{
		{AWS, onAWS, identity, redirect, status302},
		{AWS, onAWS, identity, status(404), "there is no such document"},
		{AWS, onAWS, identity, say("<html>Please log in</html>"), json},
		{AWS, onAWS, identity, say(""), json},
		{AWS, onAWS, identity, say("{}"), anonymous},
		{AWS, onAWS, identity, say("null"), anonymous},
		{AWS, onAWS, identity, say(`{"instanceId":7}`), json},
		{AWS, onAWS, identity, document("i-1234567890abcdef0", escape), value},
		{AWS, onAWS, identity, document("us-west-2b", `us\nwest`), value},
		{AWS, onAWS, identity, document(`"us-west-2"`, `"`+long+`"`), value},
		{AWS, onAWS, identity, document("t2.micro", "t2\xff"), value},
		{AWS, onAWS, token, status(500), "unexpected status 500"},
		{GoogleCloud, onGoogle, instanceID, redirect, status302},
		{GoogleCloud, onGoogle, instanceID, status(404), "unexpected status 404"},
		{GoogleCloud, onGoogle, instanceID, say(""), number},
		{GoogleCloud, onGoogle, instanceID, say("-1"), number},
		{GoogleCloud, onGoogle, instanceID, say("1\x1b"), number},
		{GoogleCloud, onGoogle, instanceID, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "1") }, "answer is not from Google's metadata service"},
		{GoogleCloud, onGoogle, zone, redirect, status302},
		{GoogleCloud, onGoogle, zone, status(503), "unexpected status 503"},
		{GoogleCloud, onGoogle, zone, say("<html>Please log in</html>"), name},
		{GoogleCloud, onGoogle, zone, say("projects/1/zones/"), name},
		{GoogleCloud, onGoogle, zone, say("projects/1/machineTypes/a-b"), name},
		{GoogleCloud, onGoogle, zone, say("x/1/zones/a-b"), name},
		{GoogleCloud, onGoogle, zone, say("projects/1/zones/a\x1b-b"), name},
		{GoogleCloud, onGoogle, zone, say("projects/1/zones/" + long), name},
		{GoogleCloud, onGoogle, machineType, status(500), "unexpected status 500"},
		{GoogleCloud, onGoogle, machineType, say("projects/1/zones/a-b"), name},
		{GoogleCloud, onGoogle, machineType, say("projects/1/zones/a-b/machineTypes/e2-micro\n"), ""},
		{Azure, newSimulatedAzure, compute, redirect, status302},
		{Azure, newSimulatedAzure, compute, say("<html>Please log in</html>"), json},
		{Azure, newSimulatedAzure, compute, say("{}"), anonymous},
		{Azure, newSimulatedAzure, compute, say(`{"vmId":"1","zone":"` + escape + `"}`), value},
		{Azure, newSimulatedAzure, compute, say(`{"vmId":"1","location":"` + longest + `"}`), ""},
		{Azure, newSimulatedAzure, compute, say(`{"vmId":"1","vmSize":"` + long + `"}`), value},
		{OpenStack, newSimulatedOpenStack, metaData, redirect, status302},
		{OpenStack, newSimulatedOpenStack, metaData, status(404), "unexpected status 404"},
		{OpenStack, newSimulatedOpenStack, metaData, say("<html>Please log in</html>"), json},
		{OpenStack, newSimulatedOpenStack, metaData, say("{}"), anonymous},
		{OpenStack, newSimulatedOpenStack, metaData, say(`{"uuid":"1","availability_zone":"` + escape + `"}`), value},
		{OpenStack, newSimulatedOpenStack, metaData, say(`{"uuid":"1","region_id":"` + long + `"}`), value},
		{OpenStack, newSimulatedOpenStack, ec2Type, redirect, status302},
		{OpenStack, newSimulatedOpenStack, ec2Type, status(500), "unexpected status 500"},
		{OpenStack, newSimulatedOpenStack, ec2Type, say("m1\x1b[2Jtiny"), value},
		{OpenStack, newSimulatedOpenStack, ec2Type, say("<html>\nPlease log in</html>"), value},
		{OpenStack, newSimulatedOpenStack, ec2Type, say(""), ""},
	} {
		t.Run(fmt.Sprintf("%d %s %s", i, c.cloud, c.want), func(t *testing.T) {
			configure(t)
			s := c.serve(t)
			s.spoil(c.path, c.answer)
			asker := newService()
			defer asker.close()
			facts, err := factsOf(t.Context(), c.cloud, asker)
			switch want := "asking the metadata service for " + c.path + ": " + c.want; {
			case c.want == "" && (err != nil || facts.Cloud != c.cloud):
				t.Errorf("got %+v and %v, want facts", facts, err)
			case c.want != "" && (err == nil || err.Error() != want || facts != (Facts{})):
				t.Errorf("got %+v and %v, want %s", facts, err, want)
			}
			s.spoil(c.path, nil)
			if facts, err := factsOf(t.Context(), c.cloud, asker); err != nil || facts.Region == "" && c.cloud != OpenStack {
				t.Errorf("got %+v and %v after it", facts, err)
			}
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}
