// The sources to be trimmed. They are built inside the provider's own module, whose go.mod and go.sum pin the rest.
module localcloud.dev/toolchain/provider-aws

go 1.24.0

require (
	github.com/hashicorp/terraform-provider-aws v0.0.0-00010101000000-000000000000
	github.com/upbound/provider-aws v1.17.0
)

replace github.com/hashicorp/terraform-provider-aws => github.com/upbound/terraform-provider-aws v0.0.0-20241030110634-947d82e10dea
