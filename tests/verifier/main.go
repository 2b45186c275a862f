// A second verifier of the log, which shares no code with linkledger: Go's own signed notes and transparency
// logs over the files of a published log (checkpoint, tile/…), as they were fetched from /log.
//
//	verifier FOLDER VERIFIER-KEY [PAIRS [PROOF...]]
//
// It hashes every entry itself, builds the tree from nothing, compares every tile and the signed root, checks
// PAIRS random inclusion and consistency proofs that it makes from the tiles, and proofs in files
// (c2sp.org/tlog-proof).
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func fail(format string, arguments ...interface{}) {
	fmt.Printf(format+"\n", arguments...)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

// path maps what Go calls tile/8/L/N and tile/8/data/N to the C2SP standard's tile/L/N and tile/entries/N.
func path(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

type published struct{ folder string }

func (p published) read(tile tlog.Tile) []byte {
	data, err := os.ReadFile(filepath.Join(p.folder, path(tile)))
	check(err)
	return data
}

func (p published) Height() int { return height }
func (p published) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		all = append(all, p.read(tile))
	}
	return all, nil
}
func (p published) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

// head is the signed head, once its signature is verified.
func head(text []byte, key string) (tlog.Tree, string) {
	verifier, err := note.NewVerifier(key)
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		fail("the checkpoint is of %s, the key of %s", lines[0], verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	hash, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: hash}, lines[0]
}

// tilesOf are the tiles of a tree: the full ones, and the last of each level as wide as it is. (tlog.NewTiles
// of old versions lists every width that a partial tile ever had.)
func tilesOf(size int64) []tlog.Tile {
	var tiles []tlog.Tile
	for level := 0; size>>uint(height*level) > 0; level++ {
		hashes := size >> uint(height*level)
		for n := int64(0); n<<height < hashes; n++ {
			width := hashes - n<<height
			if width > 1<<height {
				width = 1 << height
			}
			tiles = append(tiles, tlog.Tile{H: height, L: level, N: n, W: int(width)})
		}
	}
	return tiles
}

// entries are those of a bundle, each with a length of two bytes before it.
func entries(bundle []byte) [][]byte {
	var all [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			fail("a bundle of entries is cut short")
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		all = append(all, bundle[2:end])
		bundle = bundle[end:]
	}
	return all
}

func checkProof(file string, key string, entry func(int64) []byte) {
	text, err := os.ReadFile(file)
	check(err)
	split := bytes.Index(text, []byte("\n\n"))
	if split < 0 {
		fail("%s: not a proof", file)
	}
	tree, _ := head(text[split+2:], key)
	lines := strings.Split(string(text[:split]), "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("%s: begins with %s", file, lines[0])
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		_, err := base64.StdEncoding.DecodeString(lines[0][len("extra "):])
		check(err)
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	check(err)
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		proof = append(proof, hash)
	}
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry(index))))
}

func main() {
	folder, key := os.Args[1], os.Args[2]
	pairs := 0
	if len(os.Args) > 3 {
		var err error
		pairs, err = strconv.Atoi(os.Args[3])
		check(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	check(err)
	tree, origin := head(text, key)
	log := published{folder}

	// Everything from nothing: the hashes of all entries, and of the tree over them.
	var stored []tlog.Hash
	var leaves [][]byte
	memory := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	for n := int64(0); n<<height < tree.N; n++ {
		width := 1 << height
		if tree.N-n<<height < int64(width) {
			width = int(tree.N - n<<height)
		}
		bundle := entries(log.read(tlog.Tile{H: height, L: -1, N: n, W: width}))
		if len(bundle) != width {
			fail("bundle %d has %d entries instead of %d", n, len(bundle), width)
		}
		for i, entry := range bundle {
			hashes, err := tlog.StoredHashes(n<<height+int64(i), entry, memory)
			check(err)
			stored = append(stored, hashes...)
			leaves = append(leaves, entry)
		}
	}
	root, err := tlog.TreeHash(tree.N, memory)
	check(err)
	if root != tree.Hash {
		fail("the entries have the root %v, the checkpoint %v", root, tree.Hash)
	}
	tiles := tilesOf(tree.N)
	for _, tile := range tiles {
		wanted, err := tlog.ReadTileData(tile, memory)
		check(err)
		if !bytes.Equal(log.read(tile), wanted) {
			fail("%s is not what the entries lead to", path(tile))
		}
	}

	// Proofs from the tiles alone, checked against roots from the entries.
	reader := tlog.TileHashReader(tree, log)
	random := rand.New(rand.NewSource(1))
	for i := 0; i < pairs && tree.N > 0; i++ {
		index := random.Int63n(tree.N)
		included, err := tlog.ProveRecord(tree.N, index, reader)
		check(err)
		check(tlog.CheckRecord(included, tree.N, tree.Hash, index, tlog.RecordHash(leaves[index])))
		size := 1 + random.Int63n(tree.N)
		old, err := tlog.TreeHash(size, memory)
		check(err)
		continued, err := tlog.ProveTree(tree.N, size, reader)
		check(err)
		check(tlog.CheckTree(continued, tree.N, tree.Hash, size, old))
	}
	for _, file := range os.Args[min(4, len(os.Args)):] {
		checkProof(file, key, func(index int64) []byte { return leaves[index] })
	}
	fmt.Printf("%s: %d entries, %d tiles, %d pairs, %d proofs: all well\n", origin, tree.N, len(tiles), pairs,
		len(os.Args)-min(4, len(os.Args)))
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
