// Composecheck loads a compose file with every profile, as docker compose does, and holds it against the rules of this
// repository. Exit code 0 good, 1 refused, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// pinned is an image of an exact version, or of a digest.
var pinned = regexp.MustCompile(`^[^:@]+:[^:@]*[0-9]+\.[0-9]+[^:@]*$|@sha256:[0-9a-f]{64}$`)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: composecheck FILE")
		os.Exit(2)
	}
	found, err := check(os.Args[1])
	if err != nil {
		found = []string{err.Error()}
	}
	for _, line := range found {
		fmt.Fprintln(os.Stderr, line)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
}

func check(file string) ([]string, error) {
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true), cli.WithOsEnv, cli.WithName("dsom"))
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return nil, err
	}
	if len(project.Services) == 0 {
		return nil, errors.New("no services")
	}
	var found []string
	for _, name := range project.ServiceNames() {
		for _, what := range service(project, project.Services[name]) {
			found = append(found, name+": "+what)
		}
	}
	sort.Strings(found)
	return found, nil
}

// service says what is wrong with one.
func service(project *types.Project, s types.ServiceConfig) []string {
	var found []string
	wrong := func(is bool, format string, values ...any) {
		if is {
			found = append(found, fmt.Sprintf(format, values...))
		}
	}
	// What is built here has a version of its own making.
	wrong(s.Build == nil && !pinned.MatchString(s.Image), "image %q is not pinned to a version", s.Image)
	oneShot := s.Restart == types.RestartPolicyNo
	checked := s.HealthCheck != nil && !s.HealthCheck.Disable && len(s.HealthCheck.Test) > 0
	// A client that runs until it is stopped has nobody that waits for it.
	client := s.Labels["dsom.client"] != ""
	wrong(!oneShot && !client && !checked, "no health check, and restart is not \"no\"")
	wrong(checked && s.HealthCheck.Test[0] != "CMD", "the health check needs a shell: %v", s.HealthCheck)
	wrong(!s.ReadOnly, "the root file system can be written")
	user := strings.Split(s.User, ":")[0]
	wrong(user == "" || user == "0" || user == "root", "runs as %q", s.User)
	wrong(s.Privileged, "is privileged")
	wrong(len(s.CapAdd) > 0, "takes capabilities: %v", s.CapAdd)
	wrong(strings.Join(s.CapDrop, ",") != "ALL", "does not give all capabilities away")
	wrong(strings.Join(s.SecurityOpt, ",") != "no-new-privileges:true", "may gain privileges")
	wrong(s.NetworkMode != "" || s.Pid != "" || s.Ipc != "", "shares a name space of the host")
	for _, port := range s.Ports {
		wrong(port.HostIP != "127.0.0.1", "port %s is open on %q", port.Published, port.HostIP)
	}
	for _, volume := range s.Volumes {
		if volume.Type == types.VolumeTypeBind {
			wrong(!volume.ReadOnly, "%s can be written from inside", volume.Source)
			_, err := os.Stat(volume.Source)
			wrong(err != nil, "%v", err)
		}
	}
	for other, dependency := range s.DependsOn {
		target := project.Services[other]
		done := dependency.Condition == types.ServiceConditionCompletedSuccessfully
		healthy := dependency.Condition == types.ServiceConditionHealthy
		wrong(!done && !healthy, "does not wait until %s is well", other)
		wrong(done && target.Restart != types.RestartPolicyNo, "waits for the end of %s, which goes on", other)
		wrong(healthy && target.HealthCheck == nil, "waits for the health of %s, which nobody asks", other)
	}
	for name, value := range s.Environment {
		secret := strings.HasSuffix(name, "PASSWORD") || strings.HasSuffix(name, "SECRET") || strings.HasSuffix(name, "TOKEN")
		wrong(secret && value != nil, "%s is a secret and has a value", name)
	}
	return found
}
