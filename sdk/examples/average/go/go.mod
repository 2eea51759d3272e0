module average

go 1.24
