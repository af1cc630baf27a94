package githubtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func labelsAnswer(r *record) answer {
	labels := r.Labels
	if labels == nil {
		labels = []Label{}
	}
	return ok(map[string]any{"total_count": len(labels), "labels": slices.Clone(labels)})
}

func (c *call) labels(atLeast int) ([]string, *answer) {
	var req struct {
		Labels []string `json:"labels"`
	}
	if bad := c.decode(&req); bad != nil {
		return nil, bad
	}
	if req.Labels == nil {
		a := invalid("Invalid request.\n\n\"labels\" wasn't supplied.")
		return nil, &a
	}
	return req.Labels, labelProblem(req.Labels, atLeast)
}

func addLabels(c *call, r *record) answer {
	names, bad := c.labels(1)
	if bad != nil {
		return *bad
	}
	r.Labels = c.s.labelled(r.Labels, names, custom)
	return labelsAnswer(r)
}

func setLabels(c *call, r *record) answer {
	names, bad := c.labels(0)
	if bad != nil {
		return *bad
	}
	r.Labels = c.s.labelled(readOnlyOf(r.Labels), names, custom)
	return labelsAnswer(r)
}

// clearLabels answers with the labels that cannot be removed, not with 204.
func clearLabels(_ *call, r *record) answer {
	r.Labels = readOnlyOf(r.Labels)
	return labelsAnswer(r)
}

func readOnlyOf(labels []Label) []Label {
	return slices.DeleteFunc(slices.Clone(labels), func(l Label) bool { return l.Type != readOnly })
}

func removeLabel(c *call, r *record) answer {
	name := c.PathValue("label")
	at := slices.IndexFunc(r.Labels, func(l Label) bool { return strings.EqualFold(l.Name, name) })
	switch {
	case at < 0:
		return notFound()
	case r.Labels[at].Type == readOnly:
		return invalid("Label %q is read-only and cannot be removed.", name)
	}
	r.Labels = slices.Delete(slices.Clone(r.Labels), at, at+1)
	return labelsAnswer(r)
}

// groupJSON is full enough for organizations and for enterprises.
func (c *call) groupJSON(g group) map[string]any {
	self := c.s.origin(c.Request) + "/" + c.scope + "/actions/runner-groups/" + strconv.FormatInt(g.id, 10)
	visibility, workflows := "all", append([]string{}, g.Workflows...)
	if g.Repositories != nil {
		visibility = "selected"
	}
	return map[string]any{
		"id": g.id, "name": g.name, "visibility": visibility, "default": g.id == 1, "inherited": false,
		"runners_url": self + "/runners", "selected_repositories_url": self + "/repositories",
		"selected_organizations_url": self + "/organizations",
		"allows_public_repositories": !g.NoPublic, "restricted_to_workflows": g.Restricted, "selected_workflows": workflows,
		"workflow_restrictions_read_only": false,
	}
}

func listGroups(c *call) answer {
	if c.kind == repository && !c.remote() {
		return notFound()
	}
	all := []map[string]any{}
	repository := c.URL.Query().Get("visible_to_repository")
	for _, g := range c.s.groupsOf(c.scope) {
		if repository == "" || g.sees(repository) {
			all = append(all, c.groupJSON(g))
		}
	}
	part, header := page(c, all)
	body := map[string]any{"total_count": len(all), "runner_groups": part}
	return answer{status: http.StatusOK, header: header, body: body}
}

func getGroup(c *call) answer {
	id, err := strconv.ParseInt(c.PathValue("id"), 10, 64)
	if err != nil || c.kind == repository {
		return notFound()
	}
	for _, g := range c.s.groupsOf(c.scope) {
		if g.id == id {
			return ok(c.groupJSON(g))
		}
	}
	return notFound()
}
