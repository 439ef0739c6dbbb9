package wirebench

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
)

// The plot's size, and the frame within it, in pixels.
const (
	plotWidth, plotHeight          = 860, 500
	frameLeft, frameTop            = 66, 46
	frameWidth, frameHeight        = 640, 380
	frameRight, frameBottom        = frameLeft + frameWidth, frameTop + frameHeight
	labelGap                       = 16 // between two labels, at least
	plotInk, plotGrid, plotSurface = "#333", "#ddd", "#fff"
)

// colours of the methods, that differ in lightness too: they can be told apart by
// those who see few colours, and in print.
var colours = map[string]string{
	"dense": "#000000", "slices": "#cc79a7", "r2": "#e69f00", "sparse": "#56b4e9", "adit": "#d55e00",
}

var dashes = map[string]string{"slices": "6 3", "r2": "2 3"}

// Plot draws the curves as SVG: the loss by the bytes that a miner has sent and
// received, on a logarithmic axis; a line is the mean of the seeds, and the area
// around it their range. most is the greatest loss that is shown, 0 for all.
func Plot(w io.Writer, title string, curves []Curve, most float64) error {
	f, err := newFrame(curves, most)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="%s">`+"\n",
		plotWidth, plotHeight, plotWidth, plotHeight, plotInk)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="%s"/>`+"\n", plotWidth, plotHeight, plotSurface)
	fmt.Fprintf(&b, `<text x="%d" y="26" font-size="16">%s</text>`+"\n", frameLeft, escape(title))
	f.axes(&b)
	fmt.Fprintf(&b, `<clipPath id="frame"><rect x="%d" y="%d" width="%d" height="%d"/></clipPath><g clip-path="url(#frame)">`+"\n", frameLeft, frameTop, frameWidth, frameHeight)
	for _, c := range curves {
		f.curve(&b, c)
	}
	b.WriteString("</g>\n")
	f.labels(&b, curves)
	b.WriteString("</svg>\n")
	_, err = w.Write(b.Bytes())
	return err
}

func escape(s string) string { return strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(s) }

// A frame places bytes and losses: the axes end at from and to, of bytes their
// logarithm to ten.
type frame struct{ from, to, least, most float64 }

func newFrame(curves []Curve, most float64) (frame, error) {
	f := frame{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	for _, c := range curves {
		for i, sent := range c.Sent {
			f.from, f.to = min(f.from, math.Log10(sent)), max(f.to, math.Log10(sent))
			f.least, f.most = min(f.least, c.Least[i]), max(f.most, c.Most[i])
		}
	}
	if math.IsInf(f.from, 0) || !(f.most > 0) {
		return f, fmt.Errorf("plot: there are no points")
	}
	if most > 0 {
		f.most = min(f.most, most)
	}
	if f.least >= f.most {
		return f, fmt.Errorf("plot: all losses are above %v", most)
	}
	f.from, f.to = f.from-0.1, f.to+0.1
	room := 0.04 * (f.most - f.least)
	f.least, f.most = f.least-room, f.most+room
	return f, nil
}

func (f frame) x(sent float64) float64 {
	return frameLeft + (math.Log10(sent)-f.from)/(f.to-f.from)*frameWidth
}

func (f frame) y(loss float64) float64 {
	return frameBottom - (loss-f.least)/(f.most-f.least)*frameHeight
}

// axes draws the frame with a grid and what it stands for.
func (f frame) axes(b *bytes.Buffer) {
	for decade := math.Floor(f.from); decade <= f.to; decade++ {
		for digit := 1.0; digit < 10; digit++ {
			sent := digit * math.Pow(10, decade)
			if x := f.x(sent); x >= frameLeft && x <= frameRight {
				wide := 0.5
				if digit == 1 {
					wide = 1.2
					fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, frameBottom+18, size(sent))
				}
				fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s" stroke-width="%.1f"/>`+"\n", x, x, frameTop, frameBottom, plotGrid, wide)
			}
		}
	}
	step := round125((f.most - f.least) / 6)
	for i := math.Ceil(f.least / step); i*step <= f.most; i++ {
		y := f.y(i * step)
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s"/>`, frameLeft, frameRight, y, y, plotGrid)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%.4g</text>`+"\n", frameLeft-8, y+4.5, i*step)
	}
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="%s"/>`+"\n", frameLeft, frameTop, frameWidth, frameHeight, plotInk)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">bytes sent and received by one miner</text>`+"\n", frameLeft+frameWidth/2, frameBottom+42)
	fmt.Fprintf(b, `<text transform="translate(18 %d) rotate(-90)" text-anchor="middle">held-out loss, nats a token</text>`+"\n", frameTop+frameHeight/2)
}

// round125 returns the next of 1, 2 and 5 times a power of ten.
func round125(x float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(x)))
	for _, d := range []float64{1, 2, 5} {
		if d*p >= x {
			return d * p
		}
	}
	return 10 * p
}

// size writes a power of ten of bytes.
func size(bytes float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for bytes >= 999.5 && i < len(units)-1 {
		bytes, i = bytes/1000, i+1
	}
	return fmt.Sprintf("%.4g %s", bytes, units[i])
}

// curve draws a method's range and its mean.
func (f frame) curve(b *bytes.Buffer, c Curve) {
	colour := colours[c.Method]
	var area, line strings.Builder
	for i, sent := range c.Sent {
		fmt.Fprintf(&area, "%.1f,%.1f ", f.x(sent), f.y(c.Most[i]))
		fmt.Fprintf(&line, "%.1f,%.1f ", f.x(sent), f.y(c.Loss[i]))
	}
	for i := len(c.Sent) - 1; i >= 0; i-- {
		fmt.Fprintf(&area, "%.1f,%.1f ", f.x(c.Sent[i]), f.y(c.Least[i]))
	}
	fmt.Fprintf(b, `<polygon points="%s" fill="%s" fill-opacity="0.2"/>`+"\n", strings.TrimSpace(area.String()), colour)
	dash := ""
	if d := dashes[c.Method]; d != "" {
		dash = fmt.Sprintf(` stroke-dasharray="%s"`, d)
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>`+"\n", strings.TrimSpace(line.String()), colour, dash)
}

// labels writes beside the frame, from above, which curve is which and how it ends.
func (f frame) labels(b *bytes.Buffer, curves []Curve) {
	for i, c := range curves {
		last := len(c.Sent) - 1
		y := float64(frameTop + 14 + i*2*labelGap + i*6)
		dash := ""
		if d := dashes[c.Method]; d != "" {
			dash = fmt.Sprintf(` stroke-dasharray="%s"`, d)
		}
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s" stroke-width="3"%s/>`, frameRight+12, frameRight+36, y-4, y-4, colours[c.Method], dash)
		fmt.Fprintf(b, `<text x="%d" y="%.1f">%s</text>`, frameRight+42, y, c.Method)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" font-size="11">%.4f at %s</text>`+"\n", frameRight+42, y+labelGap-2, c.Loss[last], short(c.Sent[last]))
		if x, at := f.x(c.Sent[last]), f.y(c.Loss[last]); at >= frameTop {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", x, at, colours[c.Method])
		}
	}
}

// short writes a size with three digits.
func short(bytes float64) string {
	p := math.Pow(10, math.Floor(math.Log10(bytes))-2)
	return size(math.Round(bytes/p) * p)
}
