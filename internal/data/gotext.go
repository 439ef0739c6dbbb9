package data

import (
	"bytes"
	"go/scanner"
	"go/token"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isGenerated reports whether a Go file says, near its top, that a program wrote
// it.
func isGenerated(src []byte) bool {
	head := src[:min(len(src), 4<<10)]
	for _, mark := range []string{"// Code generated ", "// Created by cgo ", "// created by cgo ", "// GENERATED "} {
		if bytes.HasPrefix(head, []byte(mark)) || bytes.Contains(head, []byte("\n"+mark)) {
			return true
		}
	}
	return false
}

// isTable reports whether code is mostly numbers: such files teach nothing.
func isTable(code string) bool {
	digits, dense := 0, 0
	for i := range len(code) {
		switch c := code[i]; {
		case '0' <= c && c <= '9':
			digits++
			dense++
		case c != ' ' && c != '\t' && c != '\n':
			dense++
		}
	}
	return digits*8 > dense
}

// isProse reports whether text is mostly words.
func isProse(text string) bool {
	words, all := 0, 0
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsSpace(r) {
			words++
		}
		all++
	}
	return words*100 > all*77
}

// splitGo parts a Go file into its code without comments and the text of its
// comments. Of a broken file it takes what can be read.
func splitGo(src []byte) (code, prose string) {
	file := token.NewFileSet().AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, scanner.ScanComments)

	var rest strings.Builder // the code
	var groups []string      // the comments as text
	var group []string       // the lines of the group at hand
	done, next := 0, -1      // where the code taken ends; the line on which the group would go on
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok != token.COMMENT {
			continue
		}
		start := file.Offset(pos)
		end := commentEnd(src, start)
		first, last := lineStart(src, start), lineEnd(src, end)
		alone := isBlank(src[first:start]) && isBlank(src[end:last])
		if alone { // its lines go with it
			rest.Write(src[done:max(done, first)])
			done = min(last+1, len(src))
		} else {
			rest.Write(src[done:start])
			done = end
		}
		line := file.Line(pos)
		if !alone || line != next {
			groups = appendGroup(groups, group)
			group = nil
		}
		group = append(group, commentLines(lit)...)
		next = -1
		if alone {
			next = line + strings.Count(lit, "\n") + 1
		}
	}
	groups = appendGroup(groups, group)
	rest.Write(src[done:])
	code = strings.ToValidUTF8(tidyLines(rest.String()), "")
	if len(groups) > 0 {
		prose = strings.ToValidUTF8(strings.Join(groups, "\n\n")+"\n", "")
	}
	return code, prose
}

// commentEnd returns where the comment that begins at start ends. The scanner's
// literal does not tell: it has its carriage returns taken out.
func commentEnd(src []byte, start int) int {
	if bytes.HasPrefix(src[start:], []byte("/*")) {
		if n := bytes.Index(src[start+2:], []byte("*/")); n >= 0 {
			return start + 2 + n + 2
		}
		return len(src)
	}
	return lineEnd(src, start)
}

func lineStart(src []byte, i int) int { return bytes.LastIndexByte(src[:i], '\n') + 1 }

func lineEnd(src []byte, i int) int {
	if n := bytes.IndexByte(src[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(src)
}

func isBlank(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }

// tidyLines takes trailing blanks off the lines and makes several empty lines
// one, as gofmt would, and none at either end.
func tidyLines(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	empty := true // the line before
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, " \t\r\n")
		if line != "" || !empty {
			b.WriteString(line)
			b.WriteByte('\n')
		}
		empty = line == ""
	}
	if s = strings.Trim(b.String(), "\n"); s != "" {
		s += "\n"
	}
	return s
}

// commentLines returns the lines of a comment without its markers, nil for a
// directive such as //go:build.
func commentLines(lit string) []string {
	if text, ok := strings.CutPrefix(lit, "//"); ok {
		if isDirective(text) {
			return nil
		}
		return []string{strings.TrimRight(strings.TrimPrefix(text, " "), " \t\r")}
	}
	text := strings.TrimSuffix(strings.TrimPrefix(lit, "/*"), "*/")
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if t := strings.TrimLeft(line, " \t"); t == "*" || strings.HasPrefix(t, "* ") {
			line = strings.TrimPrefix(strings.TrimPrefix(t, "*"), " ")
		} else if len(lines) == 0 {
			line = t
		}
		lines = append(lines, line)
	}
	return lines
}

// isDirective reports whether text, after the slashes, speaks to a tool.
func isDirective(text string) bool {
	if strings.HasPrefix(text, " +build") || strings.HasPrefix(text, "line ") || strings.HasPrefix(text, "export ") {
		return true
	}
	word, _, found := strings.Cut(text, ":")
	return found && word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// minGroupWords is how many words a comment needs to be kept: shorter ones are
// labels such as "unused" or "ok".
const minGroupWords = 4

// appendGroup joins the lines of a comment into paragraphs and appends it to
// groups, unless it is a licence, C or a table, or next to nothing. Indented lines stay as they
// are: they are code or lists.
func appendGroup(groups []string, lines []string) []string {
	var b strings.Builder
	words := 0
	flowing := false // the last line was prose that the next one continues
	for _, line := range lines {
		words += len(strings.Fields(line))
		switch {
		case line == "":
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			flowing = false
			continue
		case flowing && continues(line):
			b.WriteByte(' ')
		case b.Len() > 0:
			b.WriteByte('\n')
		}
		b.WriteString(line)
		flowing = continues(line)
	}
	text := strings.TrimRight(b.String(), "\n")
	if words < minGroupWords || strings.Contains(text, "Copyright") || strings.Contains(text, "#include") || !isProse(text) {
		return groups
	}
	return append(groups, text)
}

// continues reports whether line is running prose: neither indented nor the
// beginning of something of its own.
func continues(line string) bool {
	r, _ := utf8.DecodeRuneInString(line)
	return !unicode.IsSpace(r) && !strings.HasPrefix(line, "# ") &&
		!strings.HasPrefix(line, "- ") && !strings.HasPrefix(line, "* ")
}
