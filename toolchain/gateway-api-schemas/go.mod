// Only files of the source are taken, nothing is compiled.
module localcloud.dev/toolchain/gateway-api-schemas

go 1.24.0

require sigs.k8s.io/gateway-api v1.6.3
