package githubtest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Job is a piece of work for a runner: a shell script.
type Job struct {
	Name       string
	Script     string
	Repository string // "owner/repo"; empty: the runner's scope, or octo-org/hello
	// Container asks for what a job with container: or services: asks of its runner before anything is started for it. The
	// script then runs on the host all the same: there is no engine.
	Container bool
}

// JobRun is a job that was queued.
type JobRun struct {
	s          *Server
	job        Job
	id         string
	token      string
	runner     string
	started    bool
	conclusion string
	output     string
}

// QueueJob queues a job for the runner of that name, which need not exist yet; "" is any runner.
func (s jobQueue) QueueJob(runnerName string, j Job) *JobRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.Name == "" {
		j.Name = "build"
	}
	run := &JobRun{s: s.Server, job: j, id: newGUID()}
	run.token = s.remember(newJWTLike(fmt.Sprintf(`{"orch_id":%q,"scp":"Actions.Results"}`, run.id)))
	key := strings.ToLower(runnerName)
	s.jobs[key] = append(s.jobs[key], run)
	s.notify()
	return run
}

// Wait waits for the end of the job: "succeeded", "failed", "canceled", or "lost" if its runner vanished meanwhile.
func (j *JobRun) Wait(ctx context.Context) (conclusion string, err error) {
	err = j.s.await(ctx, func() bool {
		conclusion = j.conclusion
		return conclusion != ""
	})
	if err != nil {
		return "", fmt.Errorf("waiting for job %q: %w", j.job.Name, err)
	}
	return conclusion, nil
}

// WaitStarted waits until a runner has taken the job, and names it.
func (j *JobRun) WaitStarted(ctx context.Context) (runner string, err error) {
	err = j.s.await(ctx, func() bool {
		runner = j.runner
		return j.started
	})
	if err != nil {
		return "", fmt.Errorf("waiting for job %q to start: %w", j.job.Name, err)
	}
	return runner, nil
}

// Output is what the job wrote to stdout and stderr. It is complete once Wait returned.
func (j *JobRun) Output() string {
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	return j.output
}

// Cancel asks the runner to cancel the job.
func (j *JobRun) Cancel() {
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	for _, r := range j.s.runners {
		if r.job == j {
			j.s.send(r, "JobCancellation", map[string]string{"jobId": j.id})
			j.s.notify()
		}
	}
}

func (j *JobRun) conclude(conclusion, output string) {
	if j.conclusion == "" {
		j.conclusion, j.output = conclusion, output
	}
}

// assignJob gives a free runner the next job queued for its name, or for anybody.
func (s jobQueue) assignJob(r *record, origin string) {
	for _, key := range []string{strings.ToLower(r.Name), ""} {
		queue := s.jobs[key]
		if len(queue) == 0 {
			continue
		}
		j := queue[0]
		s.jobs[key] = queue[1:]
		j.runner = r.Name
		r.job = j
		s.send(r, "RunnerJobRequest", map[string]any{
			"id": j.id, "runner_request_id": j.id, "run_service_url": origin + runPath, "billing_owner_id": "O_1",
			"should_acknowledge": true,
		})
		s.notify()
		return
	}
}

// theJob is the one a runner has, if the request means it.
func (c *call) theJob(r *record, v any) (*JobRun, *answer) {
	if bad := c.decode(v); bad != nil {
		return nil, bad
	}
	if r.job == nil {
		a := refuse(http.StatusNotFound, "The runner has no job.")
		return nil, &a
	}
	return r.job, nil
}

func acquireJob(c *call, r *record) answer {
	var req struct {
		ID string `json:"jobMessageId"`
	}
	j, bad := c.theJob(r, &req)
	if bad != nil {
		return *bad
	}
	repo := j.job.Repository
	if repo == "" {
		repo = r.Scope
	}
	if strings.HasPrefix(repo, "enterprises/") || !strings.Contains(repo, "/") {
		repo = "octo-org/hello"
	}
	j.started = true
	c.s.notify()
	return ok(map[string]any{
		"jobId": j.id, "planId": j.id, "jobDisplayName": j.job.Name, "script": j.job.Script, "repository": repo,
		"token": j.token, "container": j.job.Container,
	})
}

func renewJob(c *call, r *record) answer {
	if _, bad := c.theJob(r, &struct{}{}); bad != nil {
		return *bad
	}
	return ok(map[string]any{"lockedUntil": c.s.now().Add(10 * time.Minute).UTC().Format(time.RFC3339)})
}

// completeJob ends a job. A runner that was there for one job only goes with it.
func completeJob(c *call, r *record) answer {
	var req struct {
		Conclusion string `json:"conclusion"`
		Output     string `json:"output"`
	}
	j, bad := c.theJob(r, &req)
	if bad != nil {
		return *bad
	}
	j.conclude(req.Conclusion, req.Output)
	r.job = nil
	if r.Ephemeral {
		c.s.drop(r)
	}
	c.s.notify()
	return ok(map[string]any{})
}

// Directive is something a listener is told to do that no job asks for.
type Directive interface {
	tell(s *Server, r *record)
}

// Exit makes the listener end at once with a code.
type Exit struct{ Code int }

// SelfUpdate makes the listener update itself to a version.
type SelfUpdate struct{ Version string }

// Deprecate makes the server refuse the version the runner has now, from now on.
type Deprecate struct{}

// ForgetRegistration removes the runner, as GitHub does to those it has not seen for long.
type ForgetRegistration struct{}

func (d Exit) tell(s *Server, r *record) {
	s.send(r, "SimulatorExit", map[string]int{"code": d.Code})
}

func (d SelfUpdate) tell(s *Server, r *record) {
	s.send(r, "RunnerRefresh", map[string]string{"target_version": d.Version, "download_url": "", "sha256_checksum": ""})
}

func (Deprecate) tell(s *Server, r *record) { s.deprecated[r.Version] = true }

func (ForgetRegistration) tell(s *Server, r *record) { s.drop(r) }

// Tell gives a directive to the runner of that name.
func (s jobQueue) Tell(runnerName string, d Directive) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runnerNamed("", runnerName)
	if r == nil {
		return fmt.Errorf("telling runner %q to do %T: there is no such runner", runnerName, d)
	}
	d.tell(s.Server, r)
	s.notify()
	return nil
}
