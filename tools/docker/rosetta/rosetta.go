// Package rosetta stands in for github.com/tonistiigi/go-rosetta, which not every module proxy
// has. The docker command asks it whether macOS translates its instructions; on Linux, never.
package rosetta

// Enabled says whether instructions are translated.
func Enabled() bool { return false }
