package data

import (
	"html"
	"strings"
)

// blockTags are the elements that begin a new line of text.
const blockTags = " p h1 h2 h3 h4 h5 h6 li ul ol dl dt dd pre div table tr br hr blockquote title body "

// silentTags are the elements whose content is no text.
const silentTags = " script style "

// stripHTML returns the text of a page: paragraphs on lines of their own,
// preformatted text as it stands. It is made for the plain pages of the Go
// documents and forgives anything.
func stripHTML(page string) string {
	var b strings.Builder
	pre, fresh := false, true // inside <pre>; at the beginning of a line
	text := func(s string) {
		s = html.UnescapeString(s)
		if !pre {
			s = foldSpace(s)
			if fresh {
				s = strings.TrimLeft(s, " ")
			}
		}
		fresh = fresh && s == ""
		b.WriteString(s)
	}
	block := func() {
		b.WriteString("\n\n")
		fresh = true
	}
	for page != "" {
		open := strings.IndexByte(page, '<')
		if open < 0 {
			text(page)
			break
		}
		text(page[:open])
		page = page[open:]
		if strings.HasPrefix(page, "<!--") {
			_, page, _ = strings.Cut(page, "-->")
			continue
		}
		tag, rest, ok := strings.Cut(page[1:], ">")
		if !ok {
			break
		}
		page = rest
		tag = strings.ToLower(tag)
		name := strings.Trim(tag, "/")
		if i := strings.IndexAny(name, " \t\r\n"); i >= 0 {
			name = name[:i]
		}
		switch key := " " + name + " "; {
		case strings.Contains(silentTags, key) && tag[0] != '/':
			if i := strings.Index(page, "</"+name); i >= 0 {
				page = page[i:]
			} else {
				page = ""
			}
		case name == "pre":
			pre = tag[0] != '/'
			block()
		case strings.Contains(blockTags, key):
			block()
		}
	}
	return tidyLines(strings.ToValidUTF8(b.String(), ""))
}

// foldSpace makes every run of white space one space.
func foldSpace(s string) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		if r == ' ' || r == '\t' || r == '\n' || r == '\r' {
			space = true
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	if space {
		b.WriteByte(' ')
	}
	return b.String()
}
