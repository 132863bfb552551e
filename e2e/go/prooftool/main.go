// Command prooftool checks a DSOM proof file with other people's parsers and verifiers: the file by
// github.com/transparency-dev/formats/proof, the checkpoint by formats/log over golang.org/x/mod/sumdb/note,
// the Merkle path by github.com/transparency-dev/merkle.
//
//	prooftool -vkey VKEY -proof FILE [-entry FILE]
//
// It knows nothing of what DSOM keeps in the extra line, but for where the block header, which is the log's entry,
// begins in it (after the blank line); -entry gives the entry's bytes instead. Exit code 0 and one line when the entry
// is in the log, 1 when it is not or anything is malformed, 2 for wrong usage.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle"
	merkleproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

var hasher merkle.LogHasher = rfc6962.DefaultHasher

func main() {
	vkey := flag.String("vkey", "", "the log's verifier key; its name is the origin")
	proofFile := flag.String("proof", "", "the .tlog-proof file")
	entryFile := flag.String("entry", "", "the log entry; if absent, what follows the blank line in extra")
	flag.Parse()
	if *vkey == "" || *proofFile == "" || flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	proved, err := check(*vkey, *proofFile, *entryFile)
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
	fmt.Println(proved)
}

func check(vkey, proofFile, entryFile string) (string, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return "", fmt.Errorf("verifier key: %w", err)
	}
	file, err := os.ReadFile(proofFile)
	if err != nil {
		return "", err
	}
	var p proof.TLogProof
	if err := p.Unmarshal(file); err != nil {
		return "", fmt.Errorf("proof file: %w", err)
	}
	// Their reader forgives some spellings that have one right form (CR LF, loose base64): what it writes must be what
	// it read.
	if !bytes.Equal(p.Marshal(), file) {
		return "", fmt.Errorf("proof file: not in its canonical form")
	}
	checkpoint, _, _, err := log.ParseCheckpoint(p.Checkpoint, verifier.Name(), verifier)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	entry, err := readEntry(p, entryFile)
	if err != nil {
		return "", err
	}
	hashes := make([][]byte, 0, len(p.Hashes))
	for _, h := range p.Hashes {
		hashes = append(hashes, h[:])
	}
	leaf := hasher.HashLeaf(entry)
	if err := merkleproof.VerifyInclusion(hasher, p.Index, checkpoint.Size, leaf, hashes, checkpoint.Hash); err != nil {
		return "", fmt.Errorf("inclusion: %w", err)
	}
	return fmt.Sprintf("entry %d of %d in %s", p.Index, checkpoint.Size, checkpoint.Origin), nil
}

func readEntry(p proof.TLogProof, entryFile string) ([]byte, error) {
	if entryFile != "" {
		return os.ReadFile(entryFile)
	}
	_, entry, found := bytes.Cut(p.ExtraData, []byte("\n\n"))
	if !found {
		return nil, fmt.Errorf("extra: no blank line, so no entry")
	}
	return entry, nil
}
