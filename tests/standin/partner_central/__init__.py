"""A stand-in server of the AWS Partner Central Selling API and of the two STS calls that lead to it."""
