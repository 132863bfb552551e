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

// pinned is an image of an exact version, of a digest, or of both. A digest beside `latest` says nothing to who reads it.
var pinned = regexp.MustCompile(
	`^(?:[^@/]+/)*[^:@/]+(?::[^:@/]*[0-9]+\.[0-9]+[^:@/]*(?:@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$`)

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
	found = append(found, worlds(project)...)
	sort.Strings(found)
	return found, nil
}

// apart are the settings in which a service of the sandbox must differ from the market's of the same name: the ends of their names.
var apart = []string{
	"_NATS_URL", "_NATS_MONITOR_URL", "_NATS_NKEY_FILE", "_JWKS", "_TOKEN_AUDIENCE", "_LOG_KEY", "_LOG_ORIGIN", "_RECEIPT_KEY", "_RECEIPT_ISSUER", "_ENV",
}

// worlds says where the sandbox is not apart from the market, or does not read the market's register.
func worlds(project *types.Project) []string {
	var found []string
	for name, s := range project.Services {
		market, ok := project.Services[strings.TrimPrefix(name, "sandbox-")]
		if !ok || market.Name == name {
			continue
		}
		for variable, value := range s.Environment {
			// The market's keyspace is the one that is meant when none is said.
			if of, ok := strings.CutSuffix(variable, "_SCYLLA_NODES"); ok {
				own := s.Environment[of+"_SCYLLA_KEYSPACE"]
				if own == nil || !strings.HasPrefix(*own, "dsom_sandbox_") {
					found = append(found, fmt.Sprintf("%s: no keyspace of its own", name))
				}
			}
			theirs := market.Environment[variable]
			same := value != nil && theirs != nil && *value == *theirs
			for _, end := range apart {
				if same && strings.HasSuffix(variable, end) && !strings.HasPrefix(variable, "DSOM_OIDC_") {
					found = append(found, fmt.Sprintf("%s: %s is the market's, %s", name, variable, *value))
				}
			}
			if of := strings.Replace(variable, "_REGISTRY_", "_", 1); of != variable {
				broker := market.Environment[of]
				// It may read the register there, and be nobody who writes.
				if strings.HasSuffix(variable, "_NKEY_FILE") {
					if value == nil || broker == nil || *broker == *value {
						found = append(found, fmt.Sprintf("%s: %s is a key of the market's", name, variable))
					}
				} else if broker == nil || value == nil || *broker != *value {
					found = append(found, fmt.Sprintf("%s: %s is not where the market's register is", name, variable))
				}
			}
		}
		for _, volume := range s.Volumes {
			for _, other := range market.Volumes {
				if volume.Type == types.VolumeTypeVolume && !volume.ReadOnly && volume.Source == other.Source {
					found = append(found, fmt.Sprintf("%s: writes to the market's volume %s", name, volume.Source))
				}
			}
		}
	}
	return found
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
	scylla := strings.HasPrefix(s.Image, "scylladb/scylla:")
	syncs := strings.Contains(strings.Join(s.Command, " ")+" ", " --commitlog-sync batch ")
	wrong(scylla && !syncs, "acknowledges what is not on the disk: no --commitlog-sync batch")
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
