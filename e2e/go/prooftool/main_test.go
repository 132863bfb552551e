package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

type golden struct {
	Vkey string `json:"log_vkey"`
	Good []struct{ Name, File, Header string }
	Bad  []struct{ Name, File, Reason string }
}

func load(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("../../../contracts/vectors/proofs.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGoodProofs(t *testing.T) {
	g := load(t)
	for _, c := range g.Good {
		if _, err := check(g.Vkey, file(t, []byte(c.File)), ""); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if _, err := check(g.Vkey, file(t, []byte(c.File)), file(t, []byte(c.Header))); err != nil {
			t.Errorf("%s, entry given: %v", c.Name, err)
		}
		if _, err := check(g.Vkey, file(t, []byte(c.File)), file(t, []byte(c.Header+" "))); err == nil {
			t.Errorf("%s: accepted another entry", c.Name)
		}
	}
}

// Whatever is wrong outside the extra line must be seen by checkers that know nothing of DSOM; what is wrong inside it
// only by ours.
func TestBadProofs(t *testing.T) {
	g := load(t)
	refused := 0
	for _, c := range g.Bad {
		_, err := check(g.Vkey, file(t, []byte(c.File)), "")
		if err != nil {
			refused++
		}
		if c.Name == "its size has a leading zero" {
			continue // signed by the log itself, and formats/log forgives it
		}
		if err == nil && (c.Reason == "checkpoint" || c.Reason == "header-place" || c.Reason == "header") {
			t.Errorf("%s: accepted", c.Name)
		}
	}
	t.Logf("%d of %d bad proofs refused", refused, len(g.Bad))
}

func TestEveryByteOutsideExtra(t *testing.T) {
	g := load(t)
	good := []byte(g.Good[3].File)
	entry := file(t, []byte(g.Good[3].Header))
	extra := 0
	for at := range good {
		copied := append([]byte(nil), good...)
		copied[at] ^= 1
		// With the entry given, extra's own bytes are authenticated by nothing here.
		if _, err := check(g.Vkey, file(t, copied), entry); err == nil {
			extra++
			if line := lineOf(good, at); line != 2 {
				t.Errorf("byte %d, in line %d, changed and accepted", at, line)
			}
		}
	}
	t.Logf("%d of %d changed bytes, all in extra, went unnoticed", extra, len(good))
}

func lineOf(text []byte, at int) int {
	line := 1
	for _, b := range text[:at] {
		if b == '\n' {
			line++
		}
	}
	return line
}
