// The source, which is built inside its own module, whose go.mod and go.sum pin the rest.
module localcloud.dev/toolchain/traefik

go 1.24.0

require github.com/traefik/traefik/v3 v3.5.4
