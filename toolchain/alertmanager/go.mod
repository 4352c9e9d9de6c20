// The source, which is built inside its own module, whose go.mod and go.sum pin the rest.
module localcloud.dev/toolchain/alertmanager

go 1.26.0

require github.com/prometheus/alertmanager v0.35.0
