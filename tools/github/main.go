// Command go-github asks the REST API of packages, organizations, teams and repositories through
// the library google/go-github. The tests of the API use it as a client that they did not write
// themselves. Lists are asked for two entries at a time, so that pages are followed.
//
//	go-github [-ca FILE] -url URL -token TOKEN COMMAND WORDS…
//
//	whoami · limits
//	packages OWNER · package OWNER NAME · versions OWNER NAME · version OWNER NAME ID
//	delete OWNER NAME [ID] · restore OWNER NAME [ID]
//	create-repo ORG NAME · repo OWNER NAME · repos ORG
//	members ORG · member ORG USER ROLE · remove-member ORG USER
//	create-team ORG NAME · teams ORG · team-member ORG TEAM USER · team-members ORG TEAM
//	collaborate OWNER REPO USER PERMISSION · permission OWNER REPO USER
//
// OWNER is orgs/NAME, users/NAME or user.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/google/go-github/v84/github"
)

const kind = "container"

var (
	base      = flag.String("url", "", "where the server is")
	authority = flag.String("ca", "", "a PEM file with the certificate authority to trust")
	token     = flag.String("token", "", "a personal access token")
)

func main() {
	flag.Parse()
	if err := run(context.Background(), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "go-github:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, words []string) error {
	client, err := connect()
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return fmt.Errorf("a command is needed")
	}
	// Missing words are empty, and the server says what it thinks of them.
	words = append(words, "", "", "", "", "")
	command, rest := words[0], words[1:]
	switch command {
	case "whoami", "limits":
		return about(ctx, client, command)
	case "packages", "package", "versions", "version", "delete", "restore":
		return packages(ctx, client, command, rest)
	case "create-repo", "repo", "repos", "collaborate", "permission":
		return repositories(ctx, client, command, rest)
	default:
		return organizations(ctx, client, command, rest)
	}
}

func connect() (*github.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if *authority != "" {
		pem, err := os.ReadFile(*authority)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	client := github.NewClient(&http.Client{Transport: transport}).WithAuthToken(*token)
	return client.WithEnterpriseURLs(*base, *base)
}

func about(ctx context.Context, client *github.Client, command string) error {
	if command == "whoami" {
		user, _, err := client.Users.Get(ctx, "")
		if err == nil {
			fmt.Println(user.GetLogin(), user.GetType())
		}
		return err
	}
	limits, _, err := client.RateLimit.Get(ctx)
	if err == nil {
		fmt.Println(limits.Core.Limit)
	}
	return err
}

func two() github.ListOptions { return github.ListOptions{PerPage: 2} }

func packages(ctx context.Context, client *github.Client, command string, words []string) error {
	owner, name := words[0], words[1]
	id, numbered := int64(0), false
	if number, err := strconv.ParseInt(words[2], 10, 64); err == nil {
		id, numbered = number, true
	}
	login, isOrganization := strings.CutPrefix(owner, "orgs/")
	if !isOrganization {
		// The library asks `/user` when the name is empty.
		login = strings.TrimPrefix(strings.TrimPrefix(owner, "users/"), "user")
	}
	list := &github.PackageListOptions{PackageType: github.Ptr(kind), ListOptions: two()}
	var err error
	switch {
	case command == "packages" && isOrganization:
		for one, fault := range client.Organizations.ListPackagesIter(ctx, login, list) {
			if fault != nil {
				return fault
			}
			printPackage(one)
		}
	case command == "packages":
		for one, fault := range client.Users.ListPackagesIter(ctx, login, list) {
			if fault != nil {
				return fault
			}
			printPackage(one)
		}
	case command == "package":
		var one *github.Package
		if isOrganization {
			one, _, err = client.Organizations.GetPackage(ctx, login, kind, name)
		} else {
			one, _, err = client.Users.GetPackage(ctx, login, kind, name)
		}
		if err == nil {
			printPackage(one)
		}
	case command == "versions":
		return versions(ctx, client, login, isOrganization, name)
	case command == "version":
		var one *github.PackageVersion
		if isOrganization {
			one, _, err = client.Organizations.PackageGetVersion(ctx, login, kind, name, id)
		} else {
			one, _, err = client.Users.PackageGetVersion(ctx, login, kind, name, id)
		}
		if err == nil {
			printVersion(one)
		}
	case command == "delete" && numbered && isOrganization:
		_, err = client.Organizations.PackageDeleteVersion(ctx, login, kind, name, id)
	case command == "delete" && numbered:
		_, err = client.Users.PackageDeleteVersion(ctx, login, kind, name, id)
	case command == "delete" && isOrganization:
		_, err = client.Organizations.DeletePackage(ctx, login, kind, name)
	case command == "delete":
		_, err = client.Users.DeletePackage(ctx, login, kind, name)
	case numbered && isOrganization:
		_, err = client.Organizations.PackageRestoreVersion(ctx, login, kind, name, id)
	case numbered:
		_, err = client.Users.PackageRestoreVersion(ctx, login, kind, name, id)
	case isOrganization:
		_, err = client.Organizations.RestorePackage(ctx, login, kind, name)
	default:
		_, err = client.Users.RestorePackage(ctx, login, kind, name)
	}
	return err
}

func versions(ctx context.Context, client *github.Client, login string, isOrganization bool, name string) error {
	if isOrganization {
		options := &github.PackageListOptions{ListOptions: two()}
		for {
			found, answer, err := client.Organizations.PackageGetAllVersions(ctx, login, kind, name, options)
			for _, one := range found {
				printVersion(one)
			}
			if err != nil || answer.NextPage == 0 {
				return err
			}
			options.Page = answer.NextPage
		}
	}
	if login == "" {
		options := &github.ListPackageVersionsOptions{ListOptions: two()}
		for one, err := range client.Users.ListPackageVersionsIter(ctx, kind, name, options) {
			if err != nil {
				return err
			}
			printVersion(one)
		}
		return nil
	}
	found, _, err := client.Users.ListUserPackageVersions(ctx, login, kind, name)
	for _, one := range found {
		printVersion(one)
	}
	return err
}

func printPackage(one *github.Package) {
	fmt.Println(one.GetID(), one.GetName(), one.GetVisibility(), one.GetOwner().GetLogin(), one.GetVersionCount())
}

func printVersion(one *github.PackageVersion) {
	metadata, _ := one.GetMetadata()
	tags := metadata.GetContainer().Tags
	fmt.Println(one.GetID(), one.GetName(), strings.Join(tags, ","))
}

func repositories(ctx context.Context, client *github.Client, command string, words []string) error {
	owner, name := words[0], words[1]
	switch command {
	case "create-repo":
		wish := &github.Repository{Name: github.Ptr(name), Private: github.Ptr(true)}
		made, _, err := client.Repositories.Create(ctx, owner, wish)
		if err == nil {
			fmt.Println(made.GetFullName(), made.GetPrivate())
		}
		return err
	case "repo":
		one, _, err := client.Repositories.Get(ctx, owner, name)
		if err == nil {
			fmt.Println(one.GetFullName(), one.GetVisibility())
		}
		return err
	case "repos":
		options := &github.RepositoryListByOrgOptions{ListOptions: two()}
		for one, err := range client.Repositories.ListByOrgIter(ctx, owner, options) {
			if err != nil {
				return err
			}
			fmt.Println(one.GetFullName())
		}
		return nil
	case "collaborate":
		options := &github.RepositoryAddCollaboratorOptions{Permission: words[3]}
		_, _, err := client.Repositories.AddCollaborator(ctx, owner, name, words[2], options)
		return err
	default:
		level, _, err := client.Repositories.GetPermissionLevel(ctx, owner, name, words[2])
		if err == nil {
			fmt.Println(level.GetPermission())
		}
		return err
	}
}

func organizations(ctx context.Context, client *github.Client, command string, words []string) error {
	org := words[0]
	switch command {
	case "members":
		options := &github.ListMembersOptions{ListOptions: two()}
		for one, err := range client.Organizations.ListMembersIter(ctx, org, options) {
			if err != nil {
				return err
			}
			fmt.Println(one.GetLogin())
		}
		return nil
	case "member":
		wish := &github.Membership{Role: github.Ptr(words[2])}
		made, _, err := client.Organizations.EditOrgMembership(ctx, words[1], org, wish)
		if err == nil {
			fmt.Println(made.GetRole(), made.GetState())
		}
		return err
	case "remove-member":
		_, err := client.Organizations.RemoveMember(ctx, org, words[1])
		return err
	case "create-team":
		made, _, err := client.Teams.CreateTeam(ctx, org, github.NewTeam{Name: words[1]})
		if err == nil {
			fmt.Println(made.GetSlug())
		}
		return err
	case "teams":
		options := two()
		for one, err := range client.Teams.ListTeamsIter(ctx, org, &options) {
			if err != nil {
				return err
			}
			fmt.Println(one.GetSlug())
		}
		return nil
	case "team-member":
		made, _, err := client.Teams.AddTeamMembershipBySlug(ctx, org, words[1], words[2], nil)
		if err == nil {
			fmt.Println(made.GetRole(), made.GetState())
		}
		return err
	case "team-members":
		options := &github.TeamListTeamMembersOptions{ListOptions: two()}
		for one, err := range client.Teams.ListTeamMembersBySlugIter(ctx, org, words[1], options) {
			if err != nil {
				return err
			}
			fmt.Println(one.GetLogin())
		}
		return nil
	default:
		return fmt.Errorf("no command is called %q", command)
	}
}
