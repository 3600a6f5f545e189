package fakegithub

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// page answers one page of a list with GitHub's Link header, which leaves /repos/{owner}/{repo} for /repositories/{id}.
func page[T any](c *call, all []T, shape func(T) object) *answer {
	part, header := cut(c, all)
	list := make([]any, 0, len(part))
	for _, v := range part {
		list = append(list, shape(v))
	}
	return &answer{status: http.StatusOK, body: list, header: header}
}

// wrapped is page for the lists that come in an object with their total.
func wrapped[T any](c *call, name string, all []T, shape func(T) object) *answer {
	a := page(c, all, shape)
	a.body = object{"total_count": len(all), name: a.body}
	return a
}

func cut[T any](c *call, all []T) ([]T, http.Header) {
	query := c.r.URL.Query()
	size := clamp(query.Get("per_page"), 30, 100)
	number := clamp(query.Get("page"), 1, 1<<30)
	last := max(1, (len(all)+size-1)/size)
	header := http.Header{}
	if links := c.links(number, last); links != "" {
		header.Set("Link", links)
	}
	start := min((number-1)*size, len(all))
	return all[start:min(start+size, len(all))], header
}

func clamp(text string, otherwise, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return otherwise
	}
	return min(n, most)
}

func (c *call) links(number, last int) string {
	if last == 1 && number == 1 {
		return ""
	}
	link := func(page int, rel string) string { return c.link("page", strconv.Itoa(page), rel) }
	var links []string
	if number > 1 {
		links = append(links, link(min(number-1, last), "prev"))
	}
	if number < last {
		links = append(links, link(number+1, "next"), link(last, "last"))
	}
	if number > 1 {
		links = append(links, link(1, "first"))
	}
	return strings.Join(links, ", ")
}

// link keeps the caller's query and its order, as GitHub does, with one parameter set.
func (c *call) link(name, value, rel string) string {
	path := strings.TrimPrefix(c.r.URL.EscapedPath(), "/api/v3")
	if c.repo != nil {
		canonical, _ := c.s.canonical(path)
		tail := strings.SplitN(strings.TrimPrefix(canonical, "/repos/"), "/", 3)
		path = fmt.Sprintf("/repositories/%d", c.repo.id)
		if len(tail) == 3 {
			path += "/" + tail[2]
		}
	}
	var query []string
	for pair := range strings.SplitSeq(c.r.URL.RawQuery, "&") {
		if key, _, _ := strings.Cut(pair, "="); key != "" && key != name {
			query = append(query, pair)
		}
	}
	query = append(query, name+"="+url.QueryEscape(value))
	return fmt.Sprintf("<%s?%s>; rel=%q", c.s.api(path), strings.Join(query, "&"), rel)
}
