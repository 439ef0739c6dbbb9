// Package templar is the network of windows.
package templar
