// Command oras does what the oras command does, on the library that it is made of: it pushes
// files as an artifact, pulls them back, attaches an artifact to another and lists what refers to
// one. The tests of the registry use it as a client that they did not write themselves.
//
//	oras [-plain-http] [-ca FILE] [-u USER -p PASSWORD] push REFERENCE TYPE FILE…
//	oras … pull REFERENCE DIRECTORY
//	oras … attach REFERENCE TYPE FILE…
//	oras … discover REFERENCE [TYPE]
//	oras … copy SOURCE TARGET
//	oras … tags REPOSITORY
//	oras … delete REFERENCE
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/file"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"
)

const fileMediaType = "application/vnd.naru.test.file"

var (
	plainHTTP = flag.Bool("plain-http", false, "speak HTTP without TLS")
	authority = flag.String("ca", "", "a PEM file with the certificate authority to trust")
	user      = flag.String("u", "", "user name")
	password  = flag.String("p", "", "password or token")
)

func main() {
	flag.Parse()
	if err := run(context.Background(), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "oras:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, words []string) error {
	if len(words) < 2 {
		return errors.New("a command and a reference are needed")
	}
	repository, err := open(words[1])
	if err != nil {
		return err
	}
	rest := words[2:]
	switch command := words[0]; {
	case command == "push" && len(rest) >= 2:
		return push(ctx, repository, rest[0], rest[1:], nil)
	case command == "attach" && len(rest) >= 2:
		subject, err := repository.Resolve(ctx, repository.Reference.ReferenceOrDefault())
		if err != nil {
			return err
		}
		return push(ctx, repository, rest[0], rest[1:], &subject)
	case command == "pull" && len(rest) == 1:
		return pull(ctx, repository, rest[0])
	case command == "discover" && len(rest) <= 1:
		return discover(ctx, repository, append(rest, "")[0])
	case command == "copy" && len(rest) == 1:
		return copyTo(ctx, repository, rest[0])
	case command == "tags" && len(rest) == 0:
		return repository.Tags(ctx, "", printTags)
	case command == "delete" && len(rest) == 0:
		target, err := repository.Resolve(ctx, repository.Reference.ReferenceOrDefault())
		if err != nil {
			return err
		}
		return repository.Delete(ctx, target)
	default:
		return fmt.Errorf("%q with these words is not understood", command)
	}
}

// open makes a client for one repository, as the command line asks.
func open(reference string) (*remote.Repository, error) {
	repository, err := remote.NewRepository(reference)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if *authority != "" {
		pem, err := os.ReadFile(*authority)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", *authority)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	client := &auth.Client{
		Client: &http.Client{Transport: retry.NewTransport(transport)},
		Cache:  auth.NewCache(),
	}
	if *user != "" {
		credential := auth.Credential{Username: *user, Password: *password}
		client.Credential = auth.StaticCredential(repository.Reference.Registry, credential)
	}
	repository.Client = client
	repository.PlainHTTP = *plainHTTP
	return repository, nil
}

// push packs files into a manifest and pushes it, by tag, or by digest when it has a subject.
func push(ctx context.Context, target *remote.Repository, artifactType string, paths []string, subject *v1.Descriptor) error {
	store, err := file.New("")
	if err != nil {
		return err
	}
	defer store.Close()
	options := oras.PackManifestOptions{Subject: subject}
	for _, path := range paths {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		layer, err := store.Add(ctx, filepath.Base(path), fileMediaType, absolute)
		if err != nil {
			return err
		}
		options.Layers = append(options.Layers, layer)
	}
	manifest, err := oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, artifactType, options)
	if err != nil {
		return err
	}
	if subject != nil {
		err = oras.CopyGraph(ctx, store, target, manifest, oras.DefaultCopyGraphOptions)
	} else {
		tag := target.Reference.ReferenceOrDefault()
		if err = store.Tag(ctx, manifest, tag); err == nil {
			_, err = oras.Copy(ctx, store, tag, target, tag, oras.DefaultCopyOptions)
		}
	}
	if err == nil {
		fmt.Println(manifest.Digest)
	}
	return err
}

func pull(ctx context.Context, source *remote.Repository, directory string) error {
	store, err := file.New(directory)
	if err != nil {
		return err
	}
	defer store.Close()
	reference := source.Reference.ReferenceOrDefault()
	manifest, err := oras.Copy(ctx, source, reference, store, "", oras.DefaultCopyOptions)
	if err == nil {
		fmt.Println(manifest.Digest)
	}
	return err
}

// discover prints digest and type of each referrer.
func discover(ctx context.Context, repository *remote.Repository, artifactType string) error {
	subject, err := repository.Resolve(ctx, repository.Reference.ReferenceOrDefault())
	if err != nil {
		return err
	}
	return repository.Referrers(ctx, subject, artifactType, func(referrers []v1.Descriptor) error {
		for _, referrer := range referrers {
			fmt.Println(referrer.Digest, referrer.ArtifactType)
		}
		return nil
	})
}

// copyTo copies an artifact with everything that refers to it.
func copyTo(ctx context.Context, source *remote.Repository, target string) error {
	destination, err := open(target)
	if err != nil {
		return err
	}
	from := source.Reference.ReferenceOrDefault()
	to := destination.Reference.ReferenceOrDefault()
	copied, err := oras.ExtendedCopy(ctx, source, from, destination, to, oras.DefaultExtendedCopyOptions)
	if err == nil {
		fmt.Println(copied.Digest)
	}
	return err
}

func printTags(tags []string) error {
	for _, tag := range tags {
		fmt.Println(tag)
	}
	return nil
}
