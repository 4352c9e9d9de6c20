// Only files of the source are taken, nothing is compiled.
module localcloud.dev/toolchain/prometheus-operator-schemas

go 1.24.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
