package main

import (
	"encoding/json"
	"errors"
	"time"
)

// handle does what one event asks for. It says with which code to end, if it is to end.
func (l *listener) handle(e event) (code int, ended bool) {
	if e.err != nil {
		return l.handleError(e.err)
	}
	l.reconnected()
	if !e.got {
		return 0, false
	}
	l.trace("BrokerMessageListener", "Message '%d' received from session '%s'.", e.message.ID, l.server.session)
	var body struct {
		Code          int    `json:"code"`
		TargetVersion string `json:"target_version"`
		RequestID     string `json:"runner_request_id"`
		ServiceURL    string `json:"run_service_url"`
	}
	if err := json.Unmarshal([]byte(e.message.Body), &body); err != nil {
		return l.fail(err), true
	}
	switch e.message.Type {
	case "RunnerJobRequest":
		l.job = l.startJob(body.RequestID, body.ServiceURL)
	case "JobCancellation":
		if l.job != nil {
			l.job.cancel()
		}
	case "RunnerRefresh":
		l.trace("Runner", "Refresh message received, kick-off selfupdate background process.")
		l.update = body.TargetVersion
		if l.job == nil {
			return l.selfUpdate()
		}
	case "SimulatorExit":
		// At once, like a crash: neither session nor job are tidied up.
		return body.Code, true
	}
	return 0, false
}

func (l *listener) handleError(err error) (code int, ended bool) {
	switch {
	case errors.Is(err, errGone):
		if l.job != nil {
			l.job.cancel()
			<-l.job.done
			l.announceResult()
		}
		l.note(textDeleted)
		if err := l.forget(); err != nil {
			return l.fail(err), true
		}
		return exitSuccess, true
	case errors.Is(err, errTooOld):
		l.server.close()
		return l.deprecated(), true
	case errors.Is(err, errInvalidSession):
		if code, opened := l.openSession(); !opened {
			return code, true
		}
		return 0, false
	}
	l.disconnected(err)
	if l.server.silentFor() > reconnectLimit {
		return exitRetryable, true
	}
	select {
	case s := <-l.signals:
		return l.stop(s), true
	case <-time.After(defaultInterval):
	}
	return 0, false
}

// finishJob is called when the job is over.
func (l *listener) finishJob() (code int, ended bool) {
	l.announceResult()
	l.job = nil
	if l.update != "" {
		return l.selfUpdate()
	}
	if !l.settings.Ephemeral.isTrue() {
		return 0, false
	}
	l.server.close()
	l.cleanUpOnce()
	return exitSuccess, true
}
