package fakegithub

import (
	"bytes"
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	renderhtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// markdown renders a comment as GitHub does: GFM with hard line breaks, then an allow-list over all HTML in it.
func markdown(source string) template.HTML {
	md := goldmark.New(
		goldmark.WithExtensions(extension.Linkify, extension.Strikethrough, extension.TaskList,
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithRendererOptions(renderhtml.WithHardWraps(), renderhtml.WithUnsafe()), // sanitize makes it safe
	)
	var b bytes.Buffer
	if err := md.Convert([]byte(source), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(source))
	}
	return template.HTML(sanitize(b.String()))
}

// sanitize keeps the elements and attributes of an allow-list like GitHub's. What is not on it loses its tags and keeps
// its text; scripts and the like lose their content too.
func sanitize(source string) string {
	nodes, err := html.ParseFragment(strings.NewReader(source), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return template.HTMLEscapeString(source)
	}
	var b bytes.Buffer
	for _, n := range nodes {
		for _, kept := range clean(n) {
			_ = html.Render(&b, kept) // a bytes.Buffer takes everything
		}
	}
	return b.String()
}

// allowed maps each element kept to its attributes kept.
func allowed() map[string][]string {
	tags := map[string][]string{
		"a": {"href", "title"}, "img": {"src", "alt", "title", "width", "height", "align"}, "ol": {"start"}, "details": {"open"},
		"th": {"align", "colspan", "rowspan"}, "td": {"align", "colspan", "rowspan"}, "span": {"aria-hidden"},
		"div": {"align"}, "p": {"align"}, "input": {"type", "checked", "disabled"},
	}
	for _, tag := range strings.Fields("h1 h2 h3 h4 h5 h6 br b i strong em code pre tt ins del s strike sup sub ul li dl dt dd " +
		"table thead tbody tfoot tr caption blockquote hr kbd q samp var summary figure figcaption abbr cite dfn mark small ruby rt rp wbr") {
		tags[tag] = nil
	}
	return tags
}

// gone lists the elements that lose their content too.
func gone() []string {
	return strings.Fields("script style iframe object embed applet noscript noembed noframes template textarea title xmp plaintext svg math select head base link meta form button")
}

func clean(n *html.Node) []*html.Node {
	switch n.Type {
	case html.TextNode:
		return []*html.Node{{Type: html.TextNode, Data: n.Data}}
	case html.ElementNode:
	default:
		return nil // comments, the marker of a bot for one, are not seen
	}
	var children []*html.Node
	if !slices.Contains(gone(), n.Data) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			children = append(children, clean(c)...)
		}
	}
	attributes, ok := allowed()[n.Data]
	if !ok || n.Namespace != "" || n.Data == "input" && !checkbox(n) {
		return children
	}
	kept := &html.Node{Type: html.ElementNode, Data: n.Data, DataAtom: n.DataAtom}
	for _, a := range n.Attr {
		if a.Namespace == "" && slices.Contains(attributes, a.Key) && safe(a) {
			kept.Attr = append(kept.Attr, a)
		}
	}
	if n.Data == "a" {
		kept.Attr = append(kept.Attr, html.Attribute{Key: "rel", Val: "nofollow noreferrer"})
	}
	for _, c := range children {
		kept.AppendChild(c)
	}
	if n.Data == "blockquote" {
		alert(kept)
	}
	return []*html.Node{kept}
}

// checkbox tells the box of a task list, which cannot be ticked, from any other input.
func checkbox(n *html.Node) bool {
	kind, disabled := "", false
	for _, a := range n.Attr {
		if a.Key == "type" {
			kind = a.Val
		}
		disabled = disabled || a.Key == "disabled"
	}
	return kind == "checkbox" && disabled
}

// safe lets addresses be web or mail addresses, or relative, only.
func safe(a html.Attribute) bool {
	if a.Key != "href" && a.Key != "src" {
		return true
	}
	u, err := url.Parse(strings.TrimSpace(a.Val))
	if err != nil {
		return false
	}
	scheme := strings.ToLower(u.Scheme)
	return scheme == "" || scheme == "https" || scheme == "http" || scheme == "mailto" && a.Key == "href"
}

var alertMark = regexp.MustCompile(`^\s*\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*`)

// alert turns a quotation that starts with [!NOTE] and the like into GitHub's box.
func alert(quote *html.Node) {
	for p := quote.FirstChild; p != nil; p = p.NextSibling {
		if p.Data != "p" || p.FirstChild == nil {
			continue
		}
		first := p.FirstChild
		match := alertMark.FindStringSubmatch(first.Data)
		if first.Type != html.TextNode || match == nil {
			return
		}
		first.Data = alertMark.ReplaceAllString(first.Data, "")
		if next := first.NextSibling; next != nil && next.Data == "br" && first.Data == "" {
			p.RemoveChild(next)
		}
		title := &html.Node{Type: html.ElementNode, Data: "p", DataAtom: atom.P, Attr: []html.Attribute{{Key: "class", Val: "alert-title"}}}
		title.AppendChild(&html.Node{Type: html.TextNode, Data: match[1][:1] + strings.ToLower(match[1][1:])})
		quote.InsertBefore(title, quote.FirstChild)
		quote.Data, quote.DataAtom = "div", atom.Div
		quote.Attr = []html.Attribute{{Key: "class", Val: "alert alert-" + strings.ToLower(match[1])}}
		return
	}
}
